"""Every route by every kind of key: one's own, another tenant's, a powerless one, none, a revoked and an expired one.

Made from the URL configuration: a route that has no entry here fails the test.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from broker.api.routes import api
from tests.fakes.broker import Broker
from tests.journeys import customer
from tests.journeys.installation import Installation
from tests.journeys.judging import Answer, Raw
from tests.journeys.service import Service
from tests.people import PROVIDER

FEEDBACK = {"status": 403, "version": 1}
HEADERS = {"method": "GET", "url": "{base_url}/customers"}
SESSION = {"tenant": "{tenant}", "providers": [PROVIDER]}
# The keys that open nothing, and what they are told; `none` is no key at all.
SHUT = {
    "powerless": (403, "forbidden"),
    "none": (401, "unauthenticated"),
    "revoked": (401, "unauthenticated"),
    "expired": (401, "unauthenticated"),
}


@dataclass(frozen=True)
class Entry:
    """What the owner and the other tenant get; `body` is sent as JSON, {names} in it filled in."""

    own: int
    foreign: tuple[int, str]
    body: Mapping[str, object] | None = None


CONNECTION, CONNECT_SESSION = (404, "connection_not_found"), (404, "connect_session_not_found")
MATRIX: dict[tuple[str, str], Entry] = {
    ("POST", "v1/connect-sessions"): Entry(201, (404, "tenant_not_found"), SESSION),
    ("GET", "v1/connect-sessions/{session_id}"): Entry(200, CONNECT_SESSION),
    ("GET", "v1/connections"): Entry(200, (200, "")),
    ("GET", "v1/connections/{connection_id}"): Entry(200, CONNECTION),
    ("GET", "v1/connections/{connection_id}/token"): Entry(200, CONNECTION),
    ("GET", "v1/tenants/{tenant}/providers/{provider}/token"): Entry(200, CONNECTION),
    ("POST", "v1/connections/{connection_id}/headers"): Entry(200, CONNECTION, HEADERS),
    ("POST", "v1/tenants/{tenant}/providers/{provider}/headers"): Entry(200, CONNECTION, HEADERS),
    ("POST", "v1/connections/{connection_id}/feedback"): Entry(200, CONNECTION, FEEDBACK),
    # Last, because it ends what the others look at.
    ("DELETE", "v1/connections/{connection_id}"): Entry(200, CONNECTION),
}
# Routes that take no API key: what they show is nobody's, or guarded by a link, a cookie or a staff session.
# What is at no address at all is asked for by test_bad_input_over_http.
WITHOUT_KEY = re.compile(r"v1/(openapi\.json)?|\^v1/\$?|healthz|readyz|docs|connect/.*|cb/.*|admin/.*|static/.*")


@dataclass(frozen=True)
class Scene:
    """A running broker, the API keys by name, and what belongs to Aalto."""

    broker: Broker
    raw: Raw
    keys: dict[str, str]
    values: dict[str, str]

    def ask(self, method: str, route: str, key: str, **other: str) -> Answer:
        """Return the answer to a matrix route, with Aalto's ids unless others are given."""
        values, body = {**self.values, **other}, MATRIX[method, route].body
        return self.send(method, _filled(route, values), key, body and json.loads(_filled(json.dumps(body), values)))

    def send(self, method: str, path: str, key: str, body: Mapping[str, object] | None) -> Answer:
        """Return the answer to any request."""
        return self.raw.send(
            method,
            f"/{path}",
            key=self.keys.get(key, ""),
            headers=(("Content-Type", "application/json"),) if body else (),
            body=json.dumps(body).encode() if body else None,
        )


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with installation.with_sandbox(tmp_path_factory.mktemp("matrix")) as (broker, _):
        broker.start_web()
        with Service(broker, installation.keys["aalto"]) as aalto:
            session = aalto.connect_session()["id"]
            connection = customer.connect_new(broker, aalto)
            base_url = aalto.token(connection)["base_url"]
        values = {"session_id": session, "connection_id": connection, "tenant": "aalto", "provider": PROVIDER}
        values["base_url"] = base_url
        yield Scene(broker, Raw(broker.url), installation.keys, values)


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
    assert needing_key == {route for _, route in MATRIX}
    assert set(operations()) == set(MATRIX)


@pytest.mark.parametrize("key", SHUT)
@pytest.mark.parametrize(("method", "route"), MATRIX)
def test_a_key_that_opens_nothing(scene: Scene, method: str, route: str, key: str) -> None:
    absent = {"session_id": str(uuid.uuid4()), "connection_id": str(uuid.uuid4()), "tenant": "nobody"}
    answers = [scene.ask(method, route, key), scene.ask(method, route, key, **absent)]
    assert [(answer.status, answer.code) for answer in answers] == [SHUT[key]] * 2
    assert (answers[0].headers.get("www-authenticate") == "Bearer") is (SHUT[key][0] == 401)


@pytest.mark.parametrize(("method", "route"), MATRIX)
def test_the_other_tenants_key(scene: Scene, method: str, route: str) -> None:
    """What belongs to another tenant looks exactly like what does not exist, and like what cannot exist."""
    answer = scene.ask(method, route, "birch")
    assert (answer.status, answer.code) == MATRIX[method, route].foreign
    assert scene.values["connection_id"].encode() not in answer.body
    for other in _nothing_there():
        assert _shown(scene.ask(method, route, "birch", **other), other) == _shown(answer, scene.values)


def test_a_repair_link_for_another_tenants_connection(scene: Scene) -> None:
    answers = [
        scene.send("POST", "v1/connect-sessions", "birch", {**SESSION, "tenant": "birch", "connection": connection})
        for connection in (scene.values["connection_id"], str(uuid.uuid4()))
    ]
    assert [answer.code for answer in answers] == ["connection_not_found"] * 2
    assert answers[0].body == answers[1].body


def test_nothing_of_the_other_tenant_changed(scene: Scene) -> None:
    # Named so that it runs where it stands: after the strangers, before the owner ends the connection.
    assert scene.broker.rows("SELECT state, reason FROM tenants_connection") == [("connected", "")]
    assert scene.broker.rows("SELECT count(*) FROM tenants_auditevent WHERE actor = 'birch'") == [(0,)]


@pytest.mark.parametrize(("method", "route"), MATRIX)
def test_ones_own_key(scene: Scene, method: str, route: str) -> None:
    assert scene.ask(method, route, "aalto").status == MATRIX[method, route].own


def _nothing_there() -> Iterator[dict[str, str]]:
    yield {"session_id": str(uuid.uuid4()), "connection_id": str(uuid.uuid4()), "tenant": "nobod"}
    malformed = "z" * 36
    yield {"session_id": malformed, "connection_id": malformed, "tenant": "zzzzz"}


def _shown(answer: Answer, values: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """All that a caller sees of an answer, but for the ids that it sent itself and the clock."""
    body = answer.body
    for name in ("session_id", "connection_id", "tenant"):
        body = body.replace(values[name].encode(), name.encode())
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, body
