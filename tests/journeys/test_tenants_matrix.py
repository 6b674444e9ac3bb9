"""Every route by every kind of key: one's own, a stranger's, and those that open nothing (authority.py lists them).

Made from the URL configuration: a route that has no entry here fails the test.
"""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from broker.api.routes import api
from tests.fakes.broker import Broker
from tests.journeys import belongings
from tests.journeys.authority import COLLEAGUES, OWN, SHUT, STRANGERS, keys_of
from tests.journeys.installation import Installation
from tests.journeys.judging import Answer, Header, Raw
from tests.journeys.service import Service
from tests.people import EVERYTHING, PROVIDER

FEEDBACK = {"status": 403, "version": 1}
HEADERS = {"method": "GET", "url": "{base_url}/customers"}
BATCH = {"requests": [{"connection": "{connection_id}"}, {"tenant": "{tenant}", "provider": PROVIDER}]}
SESSION = {"tenant": "{tenant}", "providers": [PROVIDER]}


@dataclass(frozen=True)
class Entry:
    """What a route needs, and what the owner and a stranger get.

    Shape:  body is sent as JSON, sent are headers; {names} in both and in the route are filled in.
            private: it belongs to one caller, not to a tenant. own_only: whoever may ask gets something of its own.
            ends: it ends what the others look at. refused: what a caller of another provider is told, where that is
            not what a stranger is told.
    """

    own: int
    foreign: tuple[int, str]
    body: Mapping[str, object] | None = None
    needs: str = ""
    sent: tuple[Header, ...] = ()
    private: bool = False
    ends: bool = False
    own_only: bool = False
    refused: tuple[int, str] | None = None


CONNECTION, CONNECT_SESSION = (404, "connection_not_found"), (404, "connect_session_not_found")
ENDPOINT = {"url": belongings.TARGET}
FORWARD, BY_NAME = "v1/forward-auth", "tenants/{tenant}/providers/{provider}"
ORIGINAL = (("X-Original-Method", "GET"), ("X-Original-URI", "/customers"))
HOOK, DELIVERY = (404, "webhook_endpoint_not_found"), (404, "webhook_delivery_not_found")
READ, SEE, CONNECT, MANAGE = "token.read", "connection.read", "connect.create", "connection.manage"
EVENTS, HOOKS = "event.read", "webhook.manage"
MATRIX: dict[tuple[str, str], Entry] = {
    ("POST", "v1/connect-sessions"): Entry(
        201, (404, "tenant_not_found"), SESSION, needs=CONNECT, refused=(400, "invalid_request")
    ),
    ("GET", "v1/connect-sessions/{session_id}"): Entry(200, CONNECT_SESSION, needs=CONNECT),
    ("GET", "v1/connections"): Entry(200, (200, ""), needs=SEE),
    ("GET", "v1/connections/{connection_id}"): Entry(200, CONNECTION, needs=SEE),
    ("GET", "v1/connections/{connection_id}/token"): Entry(200, CONNECTION, needs=READ),
    ("GET", "v1/tenants/{tenant}/providers/{provider}/token"): Entry(200, CONNECTION, needs=READ),
    ("POST", "v1/connections/{connection_id}/headers"): Entry(200, CONNECTION, HEADERS, needs=READ),
    ("POST", "v1/tenants/{tenant}/providers/{provider}/headers"): Entry(200, CONNECTION, HEADERS, needs=READ),
    ("POST", "v1/connections/{connection_id}/feedback"): Entry(200, CONNECTION, FEEDBACK, needs=READ),
    ("GET", f"{FORWARD}/connections/{{connection_id}}"): Entry(200, CONNECTION, needs=READ, sent=ORIGINAL),
    ("GET", f"{FORWARD}/connections/{{connection_id}}/{{rest}}"): Entry(200, CONNECTION, needs=READ),
    ("GET", f"{FORWARD}/{BY_NAME}"): Entry(200, CONNECTION, needs=READ, sent=ORIGINAL),
    ("GET", f"{FORWARD}/{BY_NAME}/{{rest}}"): Entry(200, CONNECTION, needs=READ),
    ("POST", "v1/tokens"): Entry(200, (200, ""), BATCH, needs=READ),
    ("GET", "v1/tenants"): Entry(200, (200, ""), needs=SEE, refused=(200, "")),
    ("GET", "v1/providers"): Entry(200, (200, ""), needs=SEE),
    ("GET", "v1/events"): Entry(200, (200, ""), needs=EVENTS),
    ("POST", "v1/webhook-endpoints"): Entry(201, (201, ""), ENDPOINT, needs=HOOKS, own_only=True),
    ("GET", "v1/webhook-endpoints"): Entry(200, (200, ""), needs=HOOKS, private=True),
    ("GET", "v1/webhook-endpoints/{endpoint_id}"): Entry(200, HOOK, needs=HOOKS, private=True),
    ("PATCH", "v1/webhook-endpoints/{endpoint_id}"): Entry(200, HOOK, {"types": []}, needs=HOOKS, private=True),
    ("POST", "v1/webhook-endpoints/{endpoint_id}/rotate-secret"): Entry(200, HOOK, {}, needs=HOOKS, private=True),
    ("POST", "v1/webhook-endpoints/{endpoint_id}/test"): Entry(202, HOOK, needs=HOOKS, private=True),
    ("GET", "v1/webhook-endpoints/{endpoint_id}/deliveries"): Entry(200, HOOK, needs=HOOKS, private=True),
    ("GET", "v1/webhook-deliveries/{delivery_id}"): Entry(200, DELIVERY, needs=HOOKS, private=True),
    ("POST", "v1/webhook-deliveries/{delivery_id}/replay"): Entry(202, DELIVERY, needs=HOOKS, private=True),
    ("DELETE", "v1/webhook-endpoints/{endpoint_id}"): Entry(204, HOOK, needs=HOOKS, private=True, ends=True),
    ("DELETE", "v1/connections/{connection_id}"): Entry(200, CONNECTION, needs=MANAGE, ends=True),
}
# Routes that take no API key: what they show is nobody's, or guarded by a link, a cookie or a staff session.
# What is at no address at all is asked for by test_bad_input_over_http.
WITHOUT_KEY = re.compile(r"v1/(openapi\.json)?|\^v1/(\?)?\$?|healthz|readyz|docs|connect/.*|cb/.*|admin/.*|static/.*")
# It has nothing of any tenant, and is for operators: none of the matrix's keys but one.
METRICS = "metrics"
LASTING = [route for route, entry in MATRIX.items() if not entry.ends]
each_route = pytest.mark.parametrize(("method", "route"), MATRIX)
each_lasting_route = pytest.mark.parametrize(("method", "route"), LASTING)


@dataclass(frozen=True)
class Scene:
    """A running broker, the API keys by name, and what belongs to Aalto."""

    broker: Broker
    raw: Raw
    keys: dict[str, str]
    values: dict[str, str]

    def ask(self, method: str, route: str, kind: str, **other: str) -> Answer:
        """Return the answer to a matrix route, with Aalto's ids unless others are given."""
        entry, values = MATRIX[method, route], {**self.values, **other}
        body = None if entry.body is None else json.loads(_filled(json.dumps(entry.body), values))
        sent = tuple((name, _filled(str(value), values)) for name, value in entry.sent)
        return self.send(method, _filled(route, values), self._key(kind, entry), body, sent)

    def _key(self, kind: str, entry: Entry) -> str:
        narrowed = {"only": f"only-{entry.needs}", "lacking": f"lacks-{entry.needs}"}
        return self.keys[narrowed.get(kind, kind).replace(".", "-")]

    def send(
        self, method: str, path: str, key: str, body: Mapping[str, object] | None, sent: tuple[Header, ...] = ()
    ) -> Answer:
        """Return the answer to any request, once it may be asked: unknown keys have a small budget."""
        given = (("Content-Type", "application/json"), *sent) if body is not None else sent
        content = json.dumps(body).encode() if body is not None else None
        deadline = time.monotonic() + 30
        while True:
            answer = self.raw.send(method, f"/{path}", key=key, headers=given, body=content)
            if answer.code != "rate_limited" or key == self.keys["limited"] or time.monotonic() > deadline:
                return answer
            time.sleep(0.1)


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with installation.with_sandbox(tmp_path_factory.mktemp("matrix")) as (broker, _):
        keys = keys_of(broker, installation.keys)
        broker.start_web()
        with Service(broker, installation.keys["aalto"]) as aalto:
            yield Scene(broker, Raw(broker.url), keys, belongings.of_aalto(broker, aalto))


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Every route of the URL configuration, its parameters as {name}."""
    for pattern in patterns:
        route = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def operations() -> Iterator[tuple[str, str]]:
    """Every method and route that the OpenAPI document describes."""
    for path, described in api.get_openapi_schema(path_prefix="v1/")["paths"].items():
        for method in described.keys() & {"get", "post", "put", "patch", "delete"}:
            yield method.upper(), path.lstrip("/")


def test_every_route_has_an_entry() -> None:
    needing_key = {route for route in routes(get_resolver().url_patterns) if not WITHOUT_KEY.fullmatch(route)}
    assert needing_key == {METRICS, *(route for _, route in MATRIX)}
    assert set(operations()) == set(MATRIX)


def test_every_entry_says_what_it_needs() -> None:
    assert {entry.needs for entry in MATRIX.values()} <= set(EVERYTHING)


@pytest.mark.parametrize("kind", SHUT)
@each_route
def test_a_key_that_opens_nothing(scene: Scene, method: str, route: str, kind: str) -> None:
    """It is told so whether what it asks for exists or not."""
    if kind == "limited":
        # The first request of a minute is within the limit; so another that is too many may be the first of the next.
        assert "rate_limited" in [scene.ask(method, route, kind, **next(_nothing_there())).code for _ in range(3)]
        return
    answers = [scene.ask(method, route, kind), scene.ask(method, route, kind, **next(_nothing_there()))]
    assert [(answer.status, answer.code) for answer in answers] == [SHUT[kind]] * 2
    assert (answers[0].headers.get("www-authenticate") == "Bearer") is (SHUT[kind][0] == 401)


@pytest.mark.parametrize("kind", [kind for kind in SHUT if kind not in ("lacking", "limited")])
def test_metrics_for_a_key_that_opens_nothing(scene: Scene, kind: str) -> None:
    answer = scene.send("GET", METRICS, scene.keys[kind], None)
    assert (answer.status, answer.code) == SHUT[kind]


@pytest.mark.parametrize("kind", [*OWN, *STRANGERS])
def test_metrics_are_not_for_callers_of_some_tenants_or_providers(scene: Scene, kind: str) -> None:
    answer = scene.send("GET", METRICS, scene.keys[kind], None)
    assert (answer.status, answer.code) == (403, "forbidden")


def test_metrics_name_no_tenant(scene: Scene) -> None:
    answer = scene.send("GET", METRICS, scene.keys["everywhere"], None)
    assert answer.status == 200
    assert b'broker_connections{provider="' in answer.body
    theirs = ["aalto", "birch", *(scene.values[name] for name in belongings.NAMES)]
    assert not [name for name in theirs if name.encode() in answer.body.lower()]


@pytest.mark.parametrize("kind", STRANGERS)
@each_route
def test_a_strangers_key(scene: Scene, method: str, route: str, kind: str) -> None:
    entry, answer = MATRIX[method, route], scene.ask(method, route, kind)
    told = entry.foreign if entry.own_only else entry.refused if kind == "other-provider" else None
    if told:
        assert (answer.status, answer.code) == told
    else:
        looks_absent(scene, method, route, kind, answer)


@pytest.mark.parametrize("kind", COLLEAGUES)
@each_lasting_route
def test_a_colleagues_key(scene: Scene, method: str, route: str, kind: str) -> None:
    """Another caller of the same tenant: the tenant's things are there for it, the other caller's own are not."""
    entry, answer = MATRIX[method, route], scene.ask(method, route, kind)
    if entry.private:
        looks_absent(scene, method, route, kind, answer)
    else:
        assert answer.status == entry.own


def looks_absent(scene: Scene, method: str, route: str, kind: str, answer: Answer) -> None:
    """What belongs to another looks exactly like what does not exist, and like what cannot exist."""
    assert (answer.status, answer.code) == MATRIX[method, route].foreign
    assert not [name for name in belongings.NAMES if scene.values[name].encode() in answer.body]
    for other in _nothing_there():
        assert _shown(scene.ask(method, route, kind, **other), other) == _shown(answer, scene.values)


def test_a_repair_link_for_another_tenants_connection(scene: Scene) -> None:
    answers = [
        scene.send(
            "POST",
            "v1/connect-sessions",
            scene.keys["birch"],
            {**SESSION, "tenant": "birch", "connection": connection},
        )
        for connection in (scene.values["connection_id"], str(uuid.uuid4()))
    ]
    assert [answer.code for answer in answers] == ["connection_not_found"] * 2
    assert answers[0].body == answers[1].body


def test_nothing_of_the_other_tenant_changed(scene: Scene) -> None:
    # Named so that it runs where it stands: after the strangers, before the owner ends the connection.
    assert scene.broker.rows("SELECT state, reason FROM tenants_connection") == [("connected", "")]
    refused = [*STRANGERS, *SHUT, *(f"lacks-{operation}".replace(".", "-") for operation in EVERYTHING)]
    did = "SELECT DISTINCT action FROM tenants_auditevent WHERE actor_kind = 'caller' AND actor = ANY(%s)"
    # Of their own they may have made one, in whichever process of the run that was asked for.
    assert set(scene.broker.rows(did, refused)) <= {("webhook.endpoint_created",)}


@pytest.mark.parametrize("kind", OWN)
@each_lasting_route
def test_ones_own_key(scene: Scene, method: str, route: str, kind: str) -> None:
    assert scene.ask(method, route, kind).status == MATRIX[method, route].own


@pytest.mark.parametrize(("method", "route"), [route for route in MATRIX if route not in LASTING])
def test_ones_own_key_ends_what_it_may(scene: Scene, method: str, route: str) -> None:
    """The other kinds may as well: for them there is something to end, if it exists."""
    for kind in (*OWN, *COLLEAGUES):
        assert scene.ask(method, route, kind, **next(_nothing_there())).status == 404
    assert scene.ask(method, route, "aalto").status == MATRIX[method, route].own


def _nothing_there() -> Iterator[dict[str, str]]:
    yield {**dict.fromkeys(belongings.NAMES, str(uuid.uuid4())), "tenant": "nobod"}
    yield {**dict.fromkeys(belongings.NAMES, "z" * 36), "tenant": "zzzzz"}


def _shown(answer: Answer, values: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """All that a caller sees of an answer, but for the ids that it sent itself, the clock, and what it has left."""
    body = answer.body
    for name in (*belongings.NAMES, "tenant"):
        body = body.replace(values[name].encode(), b"what was asked for")
    hidden = ("date", "ratelimit")
    return answer.status, {name: value for name, value in answer.headers.items() if name not in hidden}, body
