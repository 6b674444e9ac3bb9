"""Services that call every vendor through an nginx with the example configuration, and never see a token."""

import hashlib
import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx2
import pytest

from embedded.demo.systems import all_systems
from embedded.demo.systems.description import Call, Run
from tests.fakes.broker import Broker
from tests.fakes.tap import Tap
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.gateway import Gateway
from tests.journeys.installation import Installation
from tests.journeys.service import Service
from tests.journeys.systems import Scene, playing

PROVIDERS = [system.provider for system in all_systems(Run("names", "http://127.0.0.1"))]
CALLERS = 20
PATH = "/companysettings"


class Client:
    """A service behind the gateway: it knows the gateway's address and its own API key, and nothing else."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self._gateway = gateway
        self._key = key

    def call(self, connection: str, call: Call, **more: str) -> httpx2.Response:
        """Return the vendor's answer to a call, or the gateway's refusal."""
        headers = {"Authorization": f"Bearer {self._key}"}
        if call.body:
            headers["Content-Type"] = call.content_type
            headers["X-Broker-Body-Digest"] = hashlib.md5(call.body.encode()).hexdigest()
        headers |= more
        return self._gateway.http.request(
            call.method, f"/connections/{connection}{call.path}", headers=headers, content=call.body.encode() or None
        )

    def by_name(self, path: str) -> httpx2.Response:
        """Return the answer to a GET of a path beneath a tenant, the key in the broker's own header."""
        headers = {"X-Broker-Authorization": f"Bearer {self._key}", "Authorization": "Bearer of-the-service"}
        return self._gateway.http.get(path, headers=headers)

    def raw(self, target: str) -> httpx2.Response:
        """Return the answer to a target that is sent letter by letter."""
        with closing(http.client.HTTPConnection(self._gateway.address, timeout=40)) as line:
            line.request("GET", target, headers={"Authorization": f"Bearer {self._key}"})
            answer = line.getresponse()
            return httpx2.Response(answer.status, headers=answer.getheaders(), content=answer.read())

    def get(self, connection: str, path: str = PATH, **more: str) -> httpx2.Response:
        """Return the answer to a plain GET."""
        return self.call(connection, Call(path=path, says=""), **more)


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with playing(installation, tmp_path_factory.mktemp("forward_auth")) as found:
        yield found


@pytest.fixture(scope="module")
def through(scene: Scene, installation: Installation) -> Iterator[Client]:
    with Gateway(scene.broker, scene.broker.folder / "gateway") as gateway:
        yield Client(gateway, installation.keys["aalto"])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_vendor_is_called_by_a_service_that_sees_none_of_its_headers(
    scene: Scene, through: Client, provider: str
) -> None:
    connection = scene.connect(provider, label="through the gateway")
    for call in scene.systems[provider].calls:
        answer = through.call(connection, call)
        assert call.says in answer.text, f"{answer.status_code} {answer.text}"
        given = scene.headers(connection, provider, call)["headers"]
        given.pop("Content-Type", None)
        # Those of this request are others where it is signed, but their names are the same.
        assert not given.keys() & {name.title() for name in answer.headers}
        assert not given.keys() & set(answer.headers)
        shown = f"{answer.headers} {answer.text}"
        assert [name for name, value in given.items() if len(value) >= 8 and value in shown] == []
        assert answer.headers["X-Broker-Connection"] == connection


def test_the_broker_hears_for_which_user_a_service_asks(scene: Scene, through: Client) -> None:
    connection = scene.connect("severa", label="for a user")
    path = scene.systems["severa"].calls[0].path
    assert through.get(connection, path, **{"On-Behalf-Of": "user-1"}).status_code == 200
    answer = through.get(connection, path, **{"On-Behalf-Of": "not an id"})
    assert (answer.status_code, answer.headers["X-Broker-Code"]) == (400, "invalid_request")
    assert "On-Behalf-Of" in answer.json()["detail"]


def test_by_tenant_and_provider_with_the_broker_s_own_header(scene: Scene, through: Client) -> None:
    if len(scene.connections("e-conomic")) != 1:
        scene.connect("e-conomic")
    call = scene.systems["e-conomic"].calls[0]
    answer = through.by_name("/tenants/aalto/providers/e-conomic" + call.path)
    assert call.says in answer.text, f"{answer.status_code} {answer.text}"


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/connections/{id}/../../admin/", 404, None),
        ("/connections/{id}/a/../customerlist.nv", 422, "request_refused"),
        ("/connections/{id}//customerlist.nv", 422, "request_refused"),
        ("/connections/{id}/%2e%2e/customerlist.nv", 422, "request_refused"),
        ("/connections/{id}/customerlist.nv?keyword=%E6%BC%A2", 422, "request_refused"),
        ("/connections/{id}", 404, None),
        ("/connections/00000000-0000-4000-8000-000000000000/customerlist.nv", 404, "connection_not_found"),
        ("/tenants/birch/providers/netvisor/customerlist.nv", 404, "connection_not_found"),
        ("/connections/{id}/feedback/../../../connections/{id}/token", 422, "request_refused"),
        ("/_broker", 404, None),
        ("/v1/connections/{id}/token", 404, None),
    ],
)
def test_what_the_broker_refuses_arrives_as_it_said_it(
    scene: Scene, through: Client, target: str, status: int, code: str | None
) -> None:
    found = [one for one, tenant, state in scene.connections("netvisor") if (tenant, state) == ("aalto", "connected")]
    connection = str(found[0]) if found else scene.connect("netvisor", label="refusals")
    since = scene.sandbox.last_number()
    answer = through.raw(target.replace("{id}", connection))
    assert (answer.status_code, answer.headers.get("X-Broker-Code")) == (status, code)
    if code:
        assert (answer.json()["code"], answer.json()["status"]) == (code, status)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert scene.sandbox.log(since=since) == []


def test_a_service_without_a_good_key_is_turned_away(scene: Scene, through: Client) -> None:
    connection, since = scene.connect("e-conomic", label="no key"), scene.sandbox.last_number()
    for key in ("", "Bearer of-somebody-else", "Basic YTpi"):
        answer = through.get(connection, "/self", Authorization=key)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert scene.sandbox.log(since=since) == []


def test_a_body_that_is_signed_and_not_told_of_is_refused_with_the_way_out(scene: Scene, through: Client) -> None:
    connection = scene.connect("fivaldi", label="digest")
    call = next(call for call in scene.systems["fivaldi"].calls if call.body)
    answer = through.call(connection, call, **{"X-Broker-Body-Digest": ""})
    assert (answer.status_code, answer.json()["problem"]) == (422, "missing")
    assert "X-Broker-Body-Digest" in answer.json()["detail"]
    wrong = through.call(connection, call, **{"X-Broker-Body-Digest": hashlib.md5(b"another").hexdigest()})
    assert wrong.status_code in (401, 403), "the vendor itself sees that the body is another one"
    assert "X-Broker-Code" not in wrong.headers


def test_twenty_at_once_while_the_token_is_renewed(journey: Journey, service: Callable[[Broker], Service]) -> None:
    broker, sandbox = journey()
    broker.start_web(workers=2)
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    first = aalto.token(connection)
    # Long enough that all of them come while the renewal is under way.
    sandbox.set_latency(token=0.3)
    expire(broker, connection)
    with Gateway(broker, broker.folder / "gateway") as gateway, ThreadPoolExecutor(CALLERS) as crowd:
        through = Client(gateway, aalto.key)
        answers = list(crowd.map(lambda _: through.get(connection), range(CALLERS)))
        assert [answer.status_code for answer in answers] == [200] * CALLERS
        assert {answer.headers["X-Broker-Version"] for answer in answers} == {str(first["version"] + 1)}
        second = aalto.token(connection)
        shown = "".join(f"{answer.headers} {answer.text}" for answer in answers) + gateway.log()
        assert [token for token in (first, second) if token["access_token"] in shown] == []
    assert [entry["decision"] for entry in sandbox.log(endpoint="token")] == ["issued", "rotated"]


def test_a_401_of_the_vendor_s_is_reported_by_what_the_answer_says(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    broker, sandbox = journey()
    broker.start_web()
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    with Gateway(broker, broker.folder / "gateway") as gateway:
        through = Client(gateway, aalto.key)
        sandbox.fault("api", "status", status=401)
        refused = through.get(connection)
        assert refused.status_code == 401
        # That it is the vendor's own is told by what is not there.
        assert "X-Broker-Code" not in refused.headers
        version = int(refused.headers["X-Broker-Version"])
        told = aalto.feedback(
            refused.headers["X-Broker-Connection"], version, refused.headers.get("WWW-Authenticate", "")
        )
        assert told["verdict"] == "renewed"
        again = through.get(connection)
        assert (again.status_code, again.headers["X-Broker-Version"]) == (200, str(version + 1))


def test_a_dead_grant_tells_the_service_where_the_customer_can_mend_it(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    broker, sandbox = journey()
    broker.start_web()
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    with Gateway(broker, broker.folder / "gateway") as gateway:
        through = Client(gateway, aalto.key)
        assert [sandbox.withdraw(grant["id"]) for grant in sandbox.grants(alive="true")] == [True]
        refused = through.get(connection)
        assert refused.status_code == 401
        told = aalto.feedback(connection, int(refused.headers["X-Broker-Version"]))
        # A refusal is believed when it is heard a second time.
        while told["verdict"] != "confirmed_dead":
            told = aalto.feedback(connection, int(refused.headers["X-Broker-Version"]))
        answer = through.get(connection)
        assert (answer.status_code, answer.headers["X-Broker-Code"]) == (409, "reauthorization_required")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json() == aalto.token(connection, status=409)
        customer.connect(broker, answer.json()["connect_url"])
        assert through.get(connection).status_code == 200
        assert answer.json()["connect_url"] not in gateway.log()


def test_nothing_of_the_service_s_own_reaches_the_vendor(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    broker, sandbox = journey()
    with Tap(sandbox.url) as tap:
        broker.know_sandbox(tap.url)
        broker.start_web()
        aalto = service(broker)
        connection = customer.connect_new(broker, aalto)
        token = aalto.token(connection)["access_token"]
        with Gateway(broker, broker.folder / "gateway") as gateway:
            tap.forget()
            answer = Client(gateway, aalto.key).get(
                connection,
                **{
                    "X-Broker-Authorization": f"Bearer {aalto.key}",
                    "X-Broker-Anything": "of-the-service",
                    "Cookie": "session=of-the-service",
                    "X-Fivaldi-Company": "of-the-service",
                    "X-Original-URI": "/of-the-service",
                    "X-Forwarded-Uri": "/of-the-service",
                    "X-Forwarded-Method": "DELETE",
                    "Accept-Language": "fi",
                },
            )
        assert answer.status_code == 200, answer.text
    head = tap.sent.decode()
    assert head.startswith(f"GET /v2{PATH} HTTP/1.1\r\n")
    assert head.count(f"Authorization: Bearer {token}\r\n") == 1
    assert "Accept-Language: fi\r\n" in head
    for foreign in ("of-the-service", aalto.key, "X-Broker", "Cookie", "DELETE"):
        assert foreign.lower() not in head.lower()


def test_who_does_not_answer_is_named_and_nothing_goes_out_without_the_broker(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    broker, sandbox = journey()
    web = broker.start_web()
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    with Gateway(broker, broker.folder / "gateway") as gateway:
        through = Client(gateway, aalto.key)
        assert through.get(connection).status_code == 200
        since = sandbox.last_number()
        web.process.terminate()
        web.process.wait(timeout=20)
        away = through.get(connection)
        assert (away.status_code, away.json()["code"]) == (503, "broker_unreachable")
        assert sandbox.log(since=since) == []
        broker.start_web()
        sandbox.stop()
        answer = through.get(connection)
        assert (answer.status_code, answer.json()["code"]) == (502, "vendor_unreachable")
        assert answer.headers["X-Broker-Code"] == "vendor_unreachable"


def expire(broker: Broker, connection: str) -> None:
    broker.rows(
        "UPDATE tenants_credential SET issued_at = now() - interval '1 hour', expires_at = now() - interval '1 second' "
        "WHERE connection_id = %s",
        connection,
    )
