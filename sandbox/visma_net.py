"""Visma.net Integrations, the older API: codes for tokens that never expire, and companies chosen in each call."""

from uuid import uuid4

from sandbox import site_routes
from sandbox.api import bearer
from sandbox.authorize import AuthorizationEndpoint
from sandbox.client_authentication import claimed_client_id, read_form, shown
from sandbox.codes import Redemption
from sandbox.errors import OAuthError
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.minted import Minted
from sandbox.pipeline import Endpoint
from sandbox.secrecy import fingerprint
from sandbox.shapes import shapes
from sandbox.state import Sandbox
from sandbox.system import System
from sandbox.token_endpoint import needed
from sandbox.visma_net_accounts import APPS, BASE, NAME, SITE, TOKENS, USERS, Company, Person, judge

APPLICATION = "Visma.net Financials"
# The end of time: the tokens do not expire.
NEVER = 1e12


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note the client that the request names."""
    exchange.entry.client_id = claimed_client_id(exchange)


def token(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """A token for a code, under a name of its own.

    Raises: OAuthError.
    Source: public clients; the vendor's page has the flow and not the members.
    """
    form = read_form(exchange)
    if "Authorization" not in exchange.request.headers:
        raise OAuthError("invalid_client", "Basic authentication is missing", status=401)
    client_id, secret = shown(exchange, form)
    client = SITE.client(sandbox, client_id)
    if client is None or not client.accepts(secret):
        raise OAuthError("invalid_client", "unknown client or wrong secret", status=401)
    if form.get("grant_type") != "authorization_code":
        raise OAuthError("unsupported_grant_type", "only authorization_code; no client gets `password` any more")
    code, redirect_uri = needed(form, "code"), needed(form, "redirect_uri")
    exchange.entry.presented = fingerprint(code)
    consent, _ = sandbox.codes.redeem(
        Redemption(code, SITE.key(client_id), redirect_uri, form.get("code_verifier", ""))
    )
    grant = sandbox.grants.create(consent)
    sandbox.codes.bind(code, grant.id)
    exchange.entry.grant, exchange.entry.user = grant.id, grant.user_id
    minted = Minted(client_id, grant.user_id, (consent.scope,), NEVER, grant.id)
    access = TOKENS.strike(sandbox, exchange, minted)
    return json_reply(200, {"token": access, "type": "Bearer", "scope": consent.scope})


def contexts(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The companies that the token reaches: all of its user's."""
    person = _admitted(sandbox, exchange)
    if isinstance(person, Reply):
        return person
    exchange.decide("served")
    return json_reply(200, [{"id": _id(one), "name": one.name} for one in person.companies])


def customers(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The customers of the company that the headers name."""
    person = _admitted(sandbox, exchange)
    if isinstance(person, Reply):
        return person
    headers = exchange.request.headers
    named = headers.get("ipp-company-id", "")
    company = next((one for one in person.companies if one.id == named), None)
    if company is None or headers.get("ipp-application-type") != APPLICATION:
        exchange.decide("wrong_company", "ipp-company-id or ipp-application-type is missing or wrong")
        return _exception(400, "12002", "Invalid ipp-company-id or ipp-application-type.")
    if not company.licensed:
        exchange.decide("no_licence", company.id)
        return _exception(403, "12027", "No license for this company.")
    exchange.decide("served")
    return json_reply(200, [{"number": "10001", "name": "Kallio Kahvila Oy", "status": "Active"}])


def _admitted(sandbox: Sandbox, exchange: Exchange) -> Person | Reply:
    """The user whose token it is, or a 401, after which only the user can help."""
    minted, why = TOKENS.shown(sandbox, exchange, bearer(exchange) or "")
    grant = sandbox.grants.get(minted.key) if minted else None
    if minted is None or grant is None or grant.revoked_at is not None:
        exchange.decide("invalid_token", why or f"the grant was revoked: {grant.revoked_why if grant else ''}")
        return _exception(401, "12001", "The token is invalid.")
    exchange.entry.grant = grant.id
    return sandbox.fixtures.find(USERS, minted.account) or Person("")


def _id(company: Company) -> int | str:
    """Real ids are numbers, and come as such."""
    return int(company.id) if company.id.isdigit() else company.id


def _exception(status: int, code: str, message: str) -> Reply:
    """Source: the vendor's knowledge base. The statuses, and the code of a bad token, are assumed."""
    body = {
        "ExceptionType": "IPPException",
        "ExceptionMessage": message,
        "ExceptionFaultCode": code,
        "ExceptionMessageID": f"{code}_{uuid4()}",
        "ExceptionDetails": "",
    }
    return json_reply(status, body)


_SHAPES = shapes(_exception, "12000", "12040")
SYSTEM = System(
    NAME,
    {
        f"{BASE}/API/resources/oauth/authorize": Endpoint(
            SITE.endpoint("authorize"), AuthorizationEndpoint(SITE, judge), ("GET",)
        ),
        f"{BASE}/API/security/api/v2/token": Endpoint(SITE.endpoint("token"), token, ("POST",), identify),
        f"{BASE}/API/security/api/v1/token/usercontexts": Endpoint(
            SITE.endpoint("api"), contexts, ("GET",), shapes=_SHAPES
        ),
        f"{BASE}/API/controller/api/v1/customer": Endpoint(SITE.endpoint("api"), customers, ("GET",), shapes=_SHAPES),
        **site_routes.shown(SITE),
    },
    site_routes.taken(SITE),
    (APPS, USERS),
)
