"""The products behind Visma Connect: which token opens which of them."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess
from tests.sandbox.client import Client, browser
from tests.sandbox.connect import ACME, BIRCH, WEB, Connect


@pytest.fixture
def connect(sandbox: SandboxProcess) -> Iterator[Connect]:
    with browser() as http:
        yield Connect(sandbox, http).settle()


def companies(reply: httpx2.Response) -> list[str]:
    return [one["name"] for one in reply.json()["data"]["availableCompanies"]["items"]]


def test_a_person_and_a_service_open_the_company_of_their_token(connect: Connect) -> None:
    person = connect.api(connect.tokens(BIRCH)["access_token"])
    assert person.json() == {"id": BIRCH, "name": "Birch AS", "currency": "EUR", "country": "FI"}
    service = connect.api(connect.service().json()["access_token"])
    assert service.json()["name"] == "Acme Oy"
    assert all(f"X-RateLimit-{name}" in service.headers for name in ("Limit", "Remaining", "Reset", "Policy"))
    customers = connect.api(connect.service().json()["access_token"], "/visma-net-erp/v1/customer")
    assert customers.json()[0]["number"] == "10001"


def test_the_tenant_of_the_contract_gets_a_token_and_401(connect: Connect) -> None:
    connect.system.change("tenants", ACME, type="customer")
    reply = connect.api(connect.service().json()["access_token"])
    assert reply.status_code == 401
    assert connect.sandbox.log(endpoint="visma-net-erp.api")[-1]["decision"] == "wrong_tenant"


@pytest.mark.parametrize(
    "token", ["nonsense", "e30.e30.e30", "W10.e30.e30", "eyJhbGciOiJub25lIn0.e30.", "\xe9.e30.e30"]
)
def test_anything_else_than_a_token_is_401(connect: Connect, token: str) -> None:
    reply = connect.api(token)
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_expired_tokens_and_tokens_of_another_server_are_401(connect: Connect) -> None:
    connect.system.change("apps", WEB, access_token_seconds=0)
    tokens = connect.tokens()
    assert connect.api(tokens["access_token"]).status_code == 401
    assert connect.api(tokens["id_token"]).status_code == 401
    with browser() as http:
        foreign = Client(connect.sandbox, http).tokens(scope="ea:api openid offline_access")
    assert connect.api(foreign["access_token"]).status_code == 401
    assert connect.api(foreign["id_token"]).status_code == 401


def test_the_scope_decides(connect: Connect) -> None:
    token = connect.tokens(scope="vismanet_erp_interactive_api:create")["access_token"]
    reply = connect.api(token)
    assert (reply.status_code, reply.json()["message"]) == (403, "insufficient_scope")
    assert connect.api(connect.tokens()["access_token"], "/dinero/v1/organizations").status_code == 403


def test_business_nxt_answers_queries_by_post(connect: Connect) -> None:
    path, query = "/business-nxt/api/graphql", {"query": "{ availableCompanies { items { name } } }"}
    token = connect.tokens(BIRCH, scope="business-graphql-api:access-group-based")["access_token"]
    assert companies(connect.api(token, path, method="POST", json=query)) == ["Birch AS"]
    assert connect.api(token, path).status_code == 405
    assert connect.api(token, path, method="POST", json={}).status_code == 400
    assert connect.api("nonsense", path, method="POST", json=query).status_code == 401
    scope = "business-graphql-service-api:access-group-based-readonly"
    service = connect.service(scope=scope, tenant_id=None).json()["access_token"]
    assert companies(connect.api(service, f"{path}-service", method="POST", json=query)) == ["Acme Oy"]


def test_dinero_lists_every_organization_of_the_person(connect: Connect) -> None:
    connect.system.change("tenants", ACME, api_role=False)
    token = connect.tokens(scope="dineropublicapi:read offline_access")["access_token"]
    listed = connect.api(token, "/dinero/v1/organizations").json()
    assert [one["name"] for one in listed] == ["Acme Oy", "Birch AS"]
    assert all(isinstance(one["id"], int) for one in listed)


@pytest.mark.parametrize("family", ["yuki-nl-api", "yuki-be-api", "yukiapi"])
def test_yuki_lists_the_companies_of_the_domain(connect: Connect, family: str) -> None:
    token = connect.tokens(scope=f"{family}:domain:companies:read")["access_token"]
    assert connect.api(token, "/yuki/api/v1/companies").json() == [{"id": ACME, "name": "Acme Oy"}]


def test_too_many_requests_in_the_vendors_form(connect: Connect) -> None:
    token = connect.service().json()["access_token"]
    connect.sandbox.fault("visma-net-erp.api", "rate_limited", retry_after=9)
    reply = connect.api(token)
    assert (reply.status_code, reply.headers["X-RateLimit-Reset"], reply.headers["X-RateLimit-Remaining"]) == (
        429,
        "9",
        "0",
    )
    assert connect.api(token).status_code == 200
