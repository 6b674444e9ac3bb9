"""What no client should send, to every operation of the OpenAPI document, over the real server.

Each answer is judged by `judging`: never a 5xx, a problem with a code of broker/errors.py, kept out of every cache.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from broker.api.routes import api
from tests.fakes.broker import Broker
from tests.fakes.sandbox import SandboxProcess
from tests.journeys import belongings
from tests.journeys.installation import Installation
from tests.journeys.judging import Answer, Header, Raw
from tests.journeys.odd_input import (
    BROKEN_JSON,
    ODD_AUTHORIZATIONS,
    ODD_HEADERS,
    ODD_IDS,
    ODD_QUERIES,
    ODD_VALUES,
    OTHER_TYPES,
    REPEATED_QUERIES,
)
from tests.journeys.service import Service
from tests.people import PROVIDER

JSON: Header = ("Content-Type", "application/json")
# Well-formed, and for nobody: the address is not the sandbox's.
HEADERS: dict[str, object] = {"method": "GET", "url": "https://elsewhere.example/v2/customers"}
GOOD: dict[tuple[str, str], dict[str, object]] = {
    ("POST", "v1/connect-sessions"): {"tenant": "aalto", "providers": [PROVIDER]},
    ("POST", "v1/connections/{connection_id}/feedback"): {"status": 403, "version": 1},
    ("POST", "v1/connections/{connection_id}/headers"): HEADERS,
    ("POST", "v1/tenants/{tenant}/providers/{provider}/headers"): HEADERS,
    ("POST", "v1/tokens"): {"requests": [{"tenant": "aalto", "provider": PROVIDER}]},
    ("POST", "v1/webhook-endpoints"): {"url": belongings.TARGET},
    ("POST", "v1/webhook-endpoints/{endpoint_id}/rotate-secret"): {"overlap_seconds": 60},
    ("PATCH", "v1/webhook-endpoints/{endpoint_id}"): {"types": []},
}
# What may be left out of those, all of it, and which stands for "nothing" where it is empty.
OPTIONAL = {"overlap_seconds", "types"}
WITHOUT_BODY = {"v1/webhook-endpoints/{endpoint_id}/test", "v1/webhook-deliveries/{delivery_id}/replay"}
OPERATIONS = [
    (method.upper(), path.lstrip("/"))
    for path, described in api.get_openapi_schema(path_prefix="v1/")["paths"].items()
    for method in sorted(described.keys() & {"get", "post", "put", "patch", "delete"})
]
PATHS = sorted({path for _, path in OPERATIONS})
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW"]
each_operation = pytest.mark.parametrize(("method", "path"), OPERATIONS)
each_body = pytest.mark.parametrize(("method", "path"), GOOD)
# A gateway asks with the method and the query of the request that it stands for.
FORWARD = "v1/forward-auth/"
ORIGINAL: tuple[Header, ...] = (("X-Original-Method", "GET"), ("X-Original-URI", "/customers"))


@dataclass(frozen=True)
class Scene:
    """A running broker with one good connection of Aalto's."""

    broker: Broker
    sandbox: SandboxProcess
    raw: Raw
    key: str
    values: dict[str, str]

    def send(
        self, method: str, path: str, query: str = "", *, headers: tuple[Header, ...] = (), **more: object
    ) -> Answer:
        """Return the answer to an operation on what exists; nothing that exists is ever deleted."""
        absent = dict.fromkeys(belongings.NAMES, str(uuid.uuid4())) if method == "DELETE" else {}
        target = path.format_map({**self.values, **absent})
        good = json.dumps(GOOD[method, path]).encode() if (method, path) in GOOD else None
        options = {"key": self.key, "body": good, **more}
        given = (JSON, *headers) if good and not any(name == "Content-Type" for name, _ in headers) else headers
        given = (*given, *ORIGINAL) if path.startswith(FORWARD) and "{rest}" not in path else given
        return self.raw.send(method, f"/{target}{'?' if query else ''}{query}", headers=given, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """When all is over the connection is as good as before, and nothing was asked of the provider."""
    with installation.with_sandbox(tmp_path_factory.mktemp("bad-input")) as (broker, sandbox):
        broker.start_web()
        with Service(broker, installation.keys["aalto"]) as aalto:
            values = belongings.of_aalto(broker, aalto)
            connection = values["connection_id"]
            before = sandbox.last_number()
            yield Scene(broker, sandbox, Raw(broker.url), installation.keys["aalto"], values)
            assert aalto.token(connection)["version"] == 1
            assert aalto.connection(connection)["state"] == "connected"
        assert sandbox.last_number() == before
        assert "Traceback" not in broker.logs()["web"]
        assert "unhandled fault" not in broker.logs()["web"]
        assert broker.leaks() == []


def test_every_body_is_known() -> None:
    assert {(method, path) for method, path in OPERATIONS if method in ("POST", "PATCH", "PUT")} - set(GOOD) == {
        ("POST", path) for path in WITHOUT_BODY
    }


@each_operation
def test_odd_ids(scene: Scene, method: str, path: str) -> None:
    for name in [name for name in scene.values if f"{{{name}}}" in path and name != "rest"]:
        for odd in ODD_IDS:
            answer = replace(scene, values={**scene.values, name: odd}).send(method, path)
            # There an escaped slash begins the original path, which has been told already.
            told_twice = path.startswith(FORWARD) and "%2f" in odd and answer.status == 400
            assert answer.status in (404, 405) or told_twice, answer.what


@each_operation
def test_odd_keys(scene: Scene, method: str, path: str) -> None:
    for odd in ODD_AUTHORIZATIONS:
        value = odd.replace("{key}", scene.key) if isinstance(odd, str) else odd
        answer = scene.send(method, path, headers=(("Authorization", value),), key="")
        assert (answer.status, answer.code) == (401, "unauthenticated"), odd
    twice = (("Authorization", f"Bearer {scene.key}"),) * 2
    assert scene.send(method, path, headers=twice, key="").code == "unauthenticated"


@each_operation
def test_odd_queries(scene: Scene, method: str, path: str) -> None:
    refused = {query for query in (*ODD_QUERIES, *REPEATED_QUERIES) if scene.send(method, path, query).status == 400}
    assert refused >= set(REPEATED_QUERIES) or method == "DELETE" or "{rest}" in path
    if path.endswith("}/token"):
        assert {"min_ttl=-1", "min_ttl=1.5", "min_ttl=", "min_ttl=%D9%A1", "unknown=1"} <= refused
    if path == "v1/connections":
        assert {query for query in ODD_QUERIES if query.startswith(("limit", "cursor", "state"))} <= refused


@each_body
def test_broken_json(scene: Scene, method: str, path: str) -> None:
    for body in BROKEN_JSON:
        answer = scene.send(method, path, body=body)
        assert (answer.status, answer.code) == (400, "invalid_request"), answer.what


@each_body
def test_odd_values(scene: Scene, method: str, path: str) -> None:
    good = GOOD[method, path]
    whole = [None, True, 1, "x", [], [good], {**good, "unknown": 1}, *([] if good.keys() <= OPTIONAL else [{}])]
    odd = [{**good, name: value} for name in good for value in ODD_VALUES if value or name not in OPTIONAL]
    # A version older than the current one is not odd.
    for value in [one for one in [*whole, *odd] if one != {"status": 403, "version": 0}]:
        answer = scene.send(method, path, body=json.dumps(value).encode())
        assert answer.status in (400, 404, 422), answer.what


@pytest.mark.parametrize("member", ["return_url", "locale", "label", "connection"])
def test_odd_values_of_what_may_be_left_out(scene: Scene, member: str) -> None:
    for value in ODD_VALUES:
        body = json.dumps({**GOOD["POST", "v1/connect-sessions"], member: value}).encode()
        answer = scene.send("POST", "v1/connect-sessions", body=body)
        # A label is any text; what else is accepted stands for "not given".
        assert answer.status in (400, 404, 422) or member == "label" or not value, answer.what


@each_body
def test_other_content_types(scene: Scene, method: str, path: str) -> None:
    for kind in OTHER_TYPES:
        assert scene.send(method, path, headers=(("Content-Type", kind),)).status in (200, 201, 400, 415, 422), kind


@each_body
def test_large_bodies(scene: Scene, method: str, path: str) -> None:
    large = json.dumps({**GOOD[method, path], "unknown": "x" * 300 * 1024}).encode()
    answer = scene.send(method, path, body=large)
    assert (answer.status, answer.code) == (413, "body_too_large")


@each_body
def test_chunked_bodies(scene: Scene, method: str, path: str) -> None:
    """Told plainly: WSGI gives a chunked body no length, so it would be read as no body at all."""
    # At most what a socket takes in one piece: a refusal that comes early would be lost behind a longer one.
    for body in (json.dumps(GOOD[method, path]).encode(), b"x" * 30 * 1024):
        answer = scene.send(method, path, body=body, chunked=True)
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert "Content-Length" in answer.json()["detail"]


@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith(FORWARD)])
def test_wrong_methods(scene: Scene, path: str) -> None:
    right = {method for method, described in OPERATIONS if described == path}
    for method in sorted(set(METHODS) - right):
        answer = scene.raw.send(method, f"/{path.format_map(scene.values)}", key=scene.key)
        assert answer.status == 405, answer.what
        assert set(answer.headers["allow"].replace(" ", "").split(",")) == right


@each_operation
def test_odd_headers(scene: Scene, method: str, path: str) -> None:
    plain = scene.send(method, path).status
    for headers in ODD_HEADERS:
        assert scene.send(method, path, headers=headers).status in (plain, 400), headers


@pytest.mark.parametrize("target", ["/v1/", "/v1/x", "/v1/connections/", "/v1//connections", "/v1/%00"])
def test_nothing_is_there(scene: Scene, target: str) -> None:
    for method in METHODS:
        answer = scene.raw.send(method, target, key=scene.key)
        assert answer.status == 404, answer.what
