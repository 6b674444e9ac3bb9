"""The Python client against the real broker: a vendor's API is called, and no line of token code is written."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from token_broker import AsyncTokenBroker, NotAllowed, ReauthorizationRequired, Refused, Token, TokenBroker

from tests.fakes.broker import Broker, wait_until
from tests.journeys import client_papers, customer
from tests.journeys.installation import Installation
from tests.journeys.systems import Scene, playing
from tests.people import PROVIDER

COMPANY = "/companysettings"
NEW_PASSWORD = "changed-at-the-provider"
CROWD = 40


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with playing(installation, tmp_path_factory.mktemp("client")) as found:
        yield found


@pytest.fixture
def key(installation: Installation) -> str:
    return installation.keys["aalto"]


@pytest.fixture
def client(scene: Scene, key: str) -> Iterator[TokenBroker]:
    with TokenBroker(scene.broker.url, key, trust_env=False, verify=False) as made:
        yield made


@pytest.fixture
def web() -> Iterator[httpx.Client]:
    """The service's own HTTP client."""
    with httpx.Client(trust_env=False, verify=False, timeout=20) as made:
        yield made


@pytest.fixture(scope="module")
def books(scene: Scene) -> str:
    """A connection that the customer has made at the provider with sign-in."""
    return customer.connect_new(scene.broker, scene.aalto, label="books")


def address(client: TokenBroker, connection: str) -> str:
    found = client.token(connection=connection).base_url
    assert found.startswith("http://127.0.0.1:")
    return found


def test_each_library_calls_the_vendor(client: TokenBroker, web: httpx.Client, books: str) -> None:
    auth, url = client.auth("aalto", PROVIDER, label="books"), address(client, books) + COMPANY
    assert web.get(url, auth=auth).json()["Name"]
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(url, auth=auth, timeout=20).json()["Name"]

    async def story() -> int:
        async with httpx.AsyncClient(trust_env=False, verify=False) as later:
            return (await later.get(url, auth=auth)).status_code

    assert asyncio.run(story()) == 200


def test_a_refused_token_is_replaced_and_the_call_repeated(
    scene: Scene, client: TokenBroker, web: httpx.Client, books: str
) -> None:
    first = client.token(connection=books)
    scene.sandbox.fault("api", "status", status=401)
    answer = web.get(first.base_url + COMPANY, auth=client.auth(connection=books))
    assert answer.status_code == 200
    assert [one.status_code for one in answer.history] == [401]
    assert client.token(connection=books).version == first.version + 1
    assert scene.aalto.connection(books)["version"] == first.version + 1


def test_a_client_that_holds_an_old_token_takes_the_newer(
    scene: Scene, client: TokenBroker, web: httpx.Client, key: str
) -> None:
    connection = customer.connect_new(scene.broker, scene.aalto, label="old token")
    old = client.token("aalto", PROVIDER, label="old token")
    with TokenBroker(scene.broker.url, key, trust_env=False, verify=False) as other:
        assert other.feedback(connection, status=401, version=old.version).verdict == "renewed"
        newest = other.token(connection=connection)
    scene.sandbox.fault("api", "status", status=401)
    answer = web.get(old.base_url + COMPANY, auth=client.auth("aalto", PROVIDER, label="old token"))
    assert answer.status_code == 200
    assert answer.request.headers["Authorization"] == newest.headers["Authorization"]


def test_a_dead_connection_raises_with_a_link_that_repairs_it(
    scene: Scene, client: TokenBroker, web: httpx.Client
) -> None:
    user = scene.sandbox.create_user("mira@acme.example")["username"]
    sign_in = customer.at_sandbox(username=user)
    made = client.connect_link("aalto", PROVIDER, label="dead", locale="en")
    scene.broker.secrets.add(made.url.rsplit("/", 1)[-1])
    customer.connect(scene.broker, made.url, sign_in)
    connection = client.connect_session(made.id)["connection"]
    url, auth = address(client, connection) + COMPANY, client.auth(connection=connection)
    assert web.get(url, auth=auth).status_code == 200
    scene.sandbox.change_password(user, NEW_PASSWORD)
    with pytest.raises(ReauthorizationRequired) as told:
        web.get(url, auth=auth)
    assert told.value.reason == "grant_revoked"
    assert told.value.connect_url
    with pytest.raises(ReauthorizationRequired):
        client.token(connection=connection)
    scene.broker.secrets.add(told.value.connect_url.rsplit("/", 1)[-1])
    customer.connect(scene.broker, told.value.connect_url, customer.at_sandbox(username=user, password=NEW_PASSWORD))
    assert web.get(url, auth=auth).status_code == 200
    assert client.disconnect(connection)["state"] == "disconnected"


@pytest.mark.parametrize("provider", ["netvisor", "fivaldi"])
def test_each_request_is_signed_where_the_vendor_wants_that(
    scene: Scene, client: TokenBroker, web: httpx.Client, key: str, provider: str
) -> None:
    connection = scene.connect(provider, label="signed")
    base_url = scene.aalto.connection(connection)["base_url"]
    auth = client.auth("aalto", provider, label="signed")
    for call in scene.systems[provider].calls:
        url, own = base_url + call.path, {"Content-Type": call.content_type} if call.content_type else {}
        body = call.body.encode() or None
        # Twice: no signature serves for two requests.
        for _ in range(2):
            assert call.says in web.request(call.method, url, content=body, headers=own, auth=auth).text
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(call.method, url, data=body, headers=own, auth=auth, timeout=20)
            assert call.says in answer.text
        assert call.says in asyncio.run(by_task(scene.broker, key, provider, call.method, url, body, own))


async def by_task(
    broker: Broker, key: str, provider: str, method: str, url: str, body: bytes | None, own: dict[str, str]
) -> str:
    async with AsyncTokenBroker(broker.url, key, trust_env=False, verify=False) as client:
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as web:
            auth = client.auth("aalto", provider, label="signed")
            return (await web.request(method, url, content=body, headers=own, auth=auth)).text


def test_what_the_vendor_says_in_its_body_is_reported_too(scene: Scene, client: TokenBroker, web: httpx.Client) -> None:
    connection, call = scene.connect("netvisor", label="refused"), scene.systems["netvisor"].calls[0]
    url = scene.aalto.connection(connection)["base_url"] + call.path
    auth = client.auth(connection=connection, refused=lambda answer: "AUTHENTICATION_FAILED" in answer.text)
    scene.put(*scene.breach("netvisor").before)
    try:
        with pytest.raises(ReauthorizationRequired) as told:
            web.get(url, auth=auth)
    finally:
        scene.put(*scene.systems["netvisor"].things)
    assert told.value.connect_url


def test_many_who_come_at_once_ask_the_broker_once(scene: Scene, client: TokenBroker, books: str) -> None:
    before = readings(scene, books)
    with ThreadPoolExecutor(CROWD) as pool:
        found = list(pool.map(lambda _: client.token(connection=books), range(CROWD)))
    assert len({id(one) for one in found}) == 1
    # One more of another client's: once that is counted, so is whatever came before.
    scene.aalto.token(books)
    wait_until(lambda: readings(scene, books) >= before + 2, "the readings to be counted", 30)
    assert readings(scene, books) == before + 2


def readings(scene: Scene, connection: str) -> int:
    """Return how often the broker counted a reading of this connection, once it counts no further."""
    counted: list[int] = []

    def settled() -> bool:
        found = "SELECT coalesce(sum(reads), 0)::int FROM tenants_issuecount WHERE connection_id = %s"
        counted.append(scene.broker.rows(found, connection)[0][0])
        return counted[-60:] == [counted[-1]] * 60

    wait_until(settled, "the counts to settle", 60)
    return counted[-1]


def test_a_batch_and_a_list(client: TokenBroker, books: str) -> None:
    good, missing = client.tokens([("aalto", PROVIDER, "books"), ("aalto", PROVIDER, "nobody")], min_ttl=5)
    assert isinstance(good, Token)
    assert good.access_token == client.token(connection=books).access_token
    assert isinstance(missing, Refused)
    assert missing.code == "connection_not_found"
    assert books in [one.id for one in client.connections(tenant="aalto", provider=PROVIDER, page_size=1)]
    assert client.connection(books).more["version"] == good.version


def test_events_are_read_to_their_end_and_from_there_on(client: TokenBroker, books: str) -> None:
    wait_until(lambda: list(client.events("", connection=books, wait=None)), "events to be published", 20)
    found = list(client.events("", connection=books, wait=None))
    assert found[0].type == "connection.connected"
    assert found[0].data["tenant"] == "aalto"
    assert list(client.events(found[-1].cursor or "", connection=books, wait=None)) == []


def test_a_key_that_is_not_good_is_told_apart(scene: Scene, books: str, installation: Installation) -> None:
    for name in ("revoked", "expired"):
        with TokenBroker(scene.broker.url, installation.keys[name], trust_env=False, verify=False) as client:
            with pytest.raises(NotAllowed) as told:
                client.token(connection=books)
        assert told.value.code == "unauthenticated"


@pytest.fixture
def command(scene: Scene, key: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `broker` with the key in its environment."""
    given = {"BROKER_URL": scene.broker.url, "BROKER_API_KEY": key, "HOME": str(tmp_path), "NO_PROXY": "*"}
    program = client_papers.command_folder(tmp_path) / "broker"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *words], env={**os.environ, **given}, capture_output=True, text=True, timeout=60
        )

    return run


def test_the_command_line(
    command: Callable[..., subprocess.CompletedProcess[str]], client: TokenBroker, scene: Scene, books: str
) -> None:
    raw = command("token", "aalto", PROVIDER, "--label", "books", "--raw")
    assert raw.stdout.strip() == client.token(connection=books).access_token
    told = told_of(command("connections", "--tenant", "aalto", "--json"))
    assert books in [one["id"] for one in told["items"]]
    assert books in command("connections").stdout
    assert told_of(command("connection", books, "--json"))["label"] == "books"
    link = command("connect-link", "aalto", PROVIDER).stdout.strip()
    scene.broker.secrets.add(link.rsplit("/", 1)[-1])
    assert link.startswith(f"{scene.broker.url}/connect/")
    first = command("tail", "--after", "start", "--no-follow", "--json").stdout.splitlines()[0]
    assert json.loads(first)["type"]
    nobody = command("token", "aalto", PROVIDER, "--label", "nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "connection_not_found" in nobody.stderr


def told_of(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_readme_is_true(
    scene: Scene, installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    customer.connect_new(scene.broker, scene.birch)
    connection = scene.connect("netvisor", service=scene.birch)
    replaced = {"acme": "birch", "https://integration.netvisor.fi": scene.birch.connection(connection)["base_url"]}
    environ = {"BROKER_URL": scene.broker.url, "BROKER_API_KEY": installation.keys["birch"]}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with client_papers.run_python(replaced)["broker"] as broker:
        token = broker.token("birch", PROVIDER)
    scene.broker.secrets.add(token.access_token)
    printed = client_papers.run_shell(replaced, tmp_path, BASE_URL=token.base_url, **environ)
    assert connection in printed
    assert "Customerlist" in printed
    assert token.access_token in printed
