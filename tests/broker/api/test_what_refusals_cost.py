"""A refusal says nothing by what it costs: each of a kind takes the same queries, and opens nothing that is sealed."""

import uuid
import zlib
from collections.abc import Callable

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from tenants.models import ApiKey
from tenants.vault import Vault
from tests import people

SIGNED = {"method": "GET", "url": "https://elsewhere.example/customers"}
ROUTES: dict[str, tuple[str, str, object]] = {
    "token": ("GET", "/v1/connections/{}/token", None),
    "scoped token": ("GET", "/v1/connections/{}/token?scope=a", None),
    "headers": ("POST", "/v1/connections/{}/headers", SIGNED),
    "batch": ("POST", "/v1/tokens", {"requests": [{"connection": "{}"}]}),
    "forward auth": ("GET", "/v1/forward-auth/connections/{}/customers", None),
    "described": ("GET", "/v1/connections/{}", None),
    "feedback": ("POST", "/v1/connections/{}/feedback", {"status": 401, "version": 1}),
}
Cost = tuple[int, str, int, int]


@pytest.fixture
def cost(call, monkeypatch) -> Callable[..., Cost]:
    """Asks a route, and returns status, code, the number of queries, and how often something sealed was opened."""
    opened: list[object] = []
    really = Vault.open
    monkeypatch.setattr(Vault, "open", lambda vault, *given: opened.append(given) or really(vault, *given))

    def asked(route: str, key: str, connection: object) -> Cost:
        method, path, body = ROUTES[route]
        filled = body if route != "batch" else {"requests": [{"connection": str(connection)}]}
        before = len(opened)
        with CaptureQueriesContext(database) as queries:
            answer = call(method, path.format(connection), key, filled)
        told = answer.json()["results"][0]["problem"] if answer.status_code == 200 else answer.json()
        return told["status"], told["code"], len(queries), len(opened) - before

    return asked


def spoiled(key: str, part: int) -> str:
    """Return a key of the right form with another id (2) or another secret (3)."""
    words = key.split("_")[:4]
    words[part] = words[part][1:] + ("1" if words[part][0] == "0" else "0")
    body = "_".join(words)
    return f"{body}_{zlib.crc32(body.encode()):08x}"


@pytest.mark.parametrize("route", ROUTES)
def test_keys_that_do_not_open_cost_the_same(route, connect, settled, cost):
    connection, good = connect(), settled.aalto_key
    revoked = people.new_key("revoked", [settled.aalto], people.EVERYTHING)
    ApiKey.objects.filter(caller__name="revoked").update(revoked_at="2026-01-01T00:00:00Z")
    keys = {"unknown": spoiled(good, 2), "wrong secret": spoiled(good, 3), "revoked": revoked}
    costs = {
        (name, exists): cost(route, key, connection.id if exists else uuid.uuid4())
        for name, key in keys.items()
        for exists in (True, False)
    }
    assert set(costs.values()) == {(401, "unauthenticated", 1, 0)}, costs


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_anothers_costs_what_does_not_exist(route, connect, settled, cost):
    connection = connect()
    cost(route, settled.birch_key, uuid.uuid4())  # what is remembered from the first request on
    costs = {
        cost(route, settled.birch_key, one) for one in (connection.id, uuid.uuid4(), "not-an-id", connection.tenant_id)
    }
    assert len(costs) == 1, costs
    assert next(iter(costs))[1::2] == ("connection_not_found", 0)
