"""The products behind Visma Connect: Visma Net ERP, Business NXT, Dinero and Yuki, as far as a token opens them."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.api import bearer
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.pipeline import Endpoint
from sandbox.secrecy import fingerprint
from sandbox.shapes import shapes
from sandbox.state import Sandbox
from sandbox.system import System
from sandbox.visma_connect_accounts import SITE, TENANTS, Tenant
from sandbox.visma_connect_scopes import DINERO, ERP, NXT, YUKI

Claims = dict[str, Any]
# The vendor publishes the headers and not the numbers.
LIMIT = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999", "X-RateLimit-Policy": "5000;w=3600"}


@dataclass(frozen=True, slots=True)
class Product:
    """One product's door: its path, the scopes of which one opens it, and whether a token is about one tenant."""

    name: str
    path: str
    scopes: tuple[str, ...]
    of_tenant: bool = True


ERP_READ = Product(
    "visma-net-erp",
    ERP,
    ("vismanet_erp_interactive_api:read", "vismanet_erp_service_api:read"),
)
GRAPHQL = Product(
    "business-nxt",
    NXT,
    (
        "business-graphql-api:access-group-based",
        "business-graphql-api:access-group-based-readonly",
        "business-graphql-service-api:access-group-based",
        "business-graphql-service-api:access-group-based-readonly",
    ),
    of_tenant=False,
)
DINERO_READ = Product("dinero", DINERO, ("dineropublicapi:read",), of_tenant=False)
COMPANIES_READ = "domain:companies:read"
YUKI_READ = Product("yuki", YUKI, tuple(f"{one}:{COMPANIES_READ}" for one in ("yuki-nl-api", "yuki-be-api", "yukiapi")))


def claims_of(sandbox: Sandbox, exchange: Exchange, token: str) -> Claims | None:
    """The claims of a living access token of Visma Connect, or None; the log says why."""
    exchange.entry.presented = fingerprint(token)
    claims = sandbox.signer.claims_of(token)
    if claims is None or claims.get("iss") != SITE.issuer(sandbox) or "scope" not in claims:
        exchange.decide("invalid_token", "not an access token of Visma Connect")
        return None
    exchange.entry.client_id = claims["client_id"]
    exchange.entry.user = claims.get("sub", claims.get("tenant_id", ""))
    if claims["exp"] <= time.time():
        exchange.decide("invalid_token", "the access token has expired")
        return None
    return claims


def _company(sandbox: Sandbox, claims: Claims) -> Reply:
    tenant = _tenant(sandbox, claims) or Tenant()
    return json_reply(200, {"id": claims["tenant_id"], "name": tenant.name, "currency": "EUR", "country": "FI"})


def _customers(sandbox: Sandbox, claims: Claims) -> Reply:
    return json_reply(200, [{"number": "10001", "name": "Kallio Kahvila Oy", "status": "Active"}])


def _organizations(sandbox: Sandbox, claims: Claims) -> Reply:
    person = SITE.person(sandbox, claims.get("sub", ""))
    companies = person.companies if person else ()
    return json_reply(200, [{"id": _number(one.id), "name": one.name, "isPro": True} for one in companies])


def _domains(sandbox: Sandbox, claims: Claims) -> Reply:
    tenant = _tenant(sandbox, claims) or Tenant()
    return json_reply(200, [{"id": claims["tenant_id"], "name": tenant.name}])


def _companies_of(sandbox: Sandbox, claims: Claims) -> list[tuple[str, str]]:
    """Ids and names of the tenants that a token reaches: its own, or every one that granted the application."""
    if tenant := _tenant(sandbox, claims):
        return [(claims["tenant_id"], tenant.name)]
    tenants = sandbox.fixtures.all(TENANTS).items()
    return [(one, tenant.name) for one, tenant in tenants if claims["client_id"] in tenant.apps]


def _tenant(sandbox: Sandbox, claims: Claims) -> Tenant | None:
    return sandbox.fixtures.find(TENANTS, claims.get("tenant_id", ""))


def _number(tenant_id: str) -> int:
    """A number for a tenant, the same at every start."""
    return uuid5(NAMESPACE_URL, tenant_id).int % 1_000_000


def opened(product: Product, show: Callable[[Sandbox, Claims], Reply]) -> Callable[[Sandbox, Exchange], Reply]:
    """A handler that shows this to whoever has the right token.

    Source: RFC 6750 section 3. The vendor's page: a token of the customer's tenant is issued, and gets 401.
    """

    def handler(sandbox: Sandbox, exchange: Exchange) -> Reply:
        claims = claims_of(sandbox, exchange, bearer(exchange) or "")
        if claims is None:
            return _refused(401, "invalid_token")
        if not set(product.scopes) & set(claims["scope"]):
            exchange.decide("insufficient_scope", f"one of {' '.join(product.scopes)} is needed")
            return _refused(403, "insufficient_scope")
        tenant = _tenant(sandbox, claims)
        if (product.of_tenant or "tenant_id" in claims) and (tenant is None or tenant.type != "company"):
            exchange.decide("wrong_tenant", "no tenant, or the customer's in the place of a company's")
            return _refused(401, "invalid_token")
        exchange.decide("served")
        return _limited(show(sandbox, claims))

    return handler


def graphql(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The companies that the token reaches, whatever the query asks for."""
    try:
        query = json.loads(exchange.body)["query"]
    except (ValueError, TypeError, KeyError):
        query = None

    def show(sandbox: Sandbox, claims: Claims) -> Reply:
        if not isinstance(query, str) or not query.strip():
            return json_reply(400, {"errors": [{"message": "GraphQL query is missing."}]})
        items = [{"vismaNetCompanyId": _number(one), "name": name} for one, name in _companies_of(sandbox, claims)]
        return json_reply(200, {"data": {"availableCompanies": {"totalCount": len(items), "items": items}}})

    return opened(GRAPHQL, show)(sandbox, exchange)


def _limited(reply: Reply) -> Reply:
    reset = str(round(3600 - time.time() % 3600))
    return replace(reply, headers={**reply.headers, **LIMIT, "X-RateLimit-Reset": reset})


def _refused(status: int, error: str) -> Reply:
    return _limited(json_reply(status, {"message": error}, {"WWW-Authenticate": f'Bearer error="{error}"'}))


def _problem(status: int, code: str, text: str) -> Reply:
    reply = _limited(json_reply(status, {"message": text, "code": code}))
    return replace(reply, headers={**reply.headers, "X-RateLimit-Remaining": "0"}) if status == 429 else reply


def _product(product: Product, handlers: dict[str, tuple[str, Callable[[Sandbox, Exchange], Reply]]]) -> System:
    forms = shapes(_problem, "internal_error", "too_many_requests", wait_header="X-RateLimit-Reset")
    endpoints = {
        product.path + path: Endpoint(f"{product.name}.api", handler, (method,), shapes=forms)
        for path, (method, handler) in handlers.items()
    }
    return System(product.name, endpoints)


SYSTEMS = (
    _product(
        ERP_READ,
        {
            "/v1/company": ("GET", opened(ERP_READ, _company)),
            "/v1/customer": ("GET", opened(ERP_READ, _customers)),
        },
    ),
    _product(GRAPHQL, {"/api/graphql": ("POST", graphql), "/api/graphql-service": ("POST", graphql)}),
    _product(DINERO_READ, {"/v1/organizations": ("GET", opened(DINERO_READ, _organizations))}),
    _product(YUKI_READ, {"/api/v1/companies": ("GET", opened(YUKI_READ, _domains))}),
)
