"""Visma Connect: the paths of its authorization server and its sign-in pages, and which requests it takes."""

from sandbox import metadata as documents
from sandbox import site_routes, visma_connect_token
from sandbox.api import bearer
from sandbox.authorize import AuthorizationEndpoint
from sandbox.client_authentication import claimed_client_id, read_form
from sandbox.clients import Client
from sandbox.errors import OAuthError
from sandbox.exchange import NO_STORE, Exchange, Reply, json_reply
from sandbox.pipeline import Endpoint
from sandbox.product_apis import claims_of
from sandbox.scopes import distinct
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox
from sandbox.system import System
from sandbox.visma_connect_accounts import APPS, BASE, NAME, SITE, TENANTS, USERS, App
from sandbox.visma_connect_scopes import IDENTITY, RESOURCES, resource_of

GET, POST = ("GET",), ("POST",)


def metadata(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The metadata document, as far as the sandbox goes.

    Source: the vendor's discovery document.
    """
    exchange.decide("metadata")
    own = {
        "scopes_supported": [*IDENTITY, *(f"{name}:read" for name in RESOURCES)],
        "response_modes_supported": ["form_post", "query", "fragment"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "authorization_response_iss_parameter_supported": True,
    }
    return json_reply(200, {**documents.common(SITE.issuer(sandbox)), **own})


def judge(sandbox: Sandbox, client: Client, asked: dict[str, str]) -> str:
    """The scope of the authorization request.

    Raises: OAuthError invalid_scope, or unauthorized_client for a service application.
    """
    app = sandbox.fixtures.find(APPS, client.client_id)
    if app is None or app.type == "service":
        raise OAuthError("unauthorized_client", "a service application has client_credentials only")
    scope = distinct(asked.get("scope", ""))
    if strange := [one for one in scope if one not in IDENTITY and not _is_allowed(app, one)]:
        raise OAuthError("invalid_scope", f"unknown, or not this application's: {' '.join(strange)}"[:200])
    if not scope or ("offline_access" in scope and app.refresh == "off"):
        raise OAuthError("invalid_scope", "no scope, or offline access is not switched on for the application")
    return " ".join(scope)


def _is_allowed(app: App, scope: str) -> bool:
    resource = resource_of(scope, app.scopes or ())
    return resource is not None and resource.people and (app.scopes is None or scope in app.scopes)


def revocation(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """200 whether or not the token was known; an access token lives on until it expires.

    Raises: OAuthError invalid_request, invalid_client, or invalid_grant for another application's token.
    Source: RFC 7009 section 2, and the vendor's page: only refresh tokens can be revoked.
    """
    form = read_form(exchange)
    client, _ = visma_connect_token.authenticate(sandbox, exchange, form)
    token = form.get("token")
    if token is None:
        raise OAuthError("invalid_request", "token is missing")
    exchange.entry.presented = fingerprint(token)
    row = sandbox.tokens.refresh_row(token)
    if row is None:
        exchange.decide("unknown_token", "not a refresh token")
    elif row["client_id"] != SITE.key(client.client_id):
        raise OAuthError("invalid_grant", "the token was issued to another client")
    else:
        exchange.entry.grant = row["grant_id"]
        sandbox.grants.revoke(row["grant_id"], "revoked_by_client")
        exchange.decide("grant_revoked")
    return Reply(200, b"", "text/plain", dict(NO_STORE))


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note the application that the request names."""
    exchange.entry.client_id = claimed_client_id(exchange)


def userinfo(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """Who consented; only with the scope `openid`.

    Source: OpenID Connect Core section 5.3.
    """
    claims = claims_of(sandbox, exchange, bearer(exchange) or "")
    if claims is None or "openid" not in claims["scope"]:
        error = "invalid_token" if claims is None else "insufficient_scope"
        exchange.decide(error, exchange.entry.reason)
        challenge = {"WWW-Authenticate": f'Bearer error="{error}"'}
        return json_reply(401 if claims is None else 403, {"error": error}, challenge)
    exchange.decide("served")
    told = {"sub": claims["sub"]}
    if "email" in claims["scope"]:
        told["email"] = claims["sub"]
    person = SITE.person(sandbox, claims["sub"])
    if "tenants" in claims["scope"] and person is not None:
        told["tenants"] = [one.id for one in person.companies]
    return json_reply(200, told)


def _endpoint(name: str) -> str:
    return SITE.endpoint(name)


SYSTEM = System(
    NAME,
    {
        f"{BASE}/.well-known/openid-configuration": Endpoint(_endpoint("metadata"), metadata, GET),
        f"{BASE}/.well-known/oauth-authorization-server": Endpoint(_endpoint("metadata"), metadata, GET),
        # RFC 8414 section 3.1 puts the issuer's path behind the well-known one.
        f"/.well-known/oauth-authorization-server{BASE}": Endpoint(_endpoint("metadata"), metadata, GET),
        f"{BASE}/.well-known/openid-configuration/jwks": Endpoint(_endpoint("jwks"), documents.jwks, GET),
        f"{BASE}/connect/authorize": Endpoint(_endpoint("authorize"), AuthorizationEndpoint(SITE, judge), GET),
        f"{BASE}/connect/token": Endpoint(
            _endpoint("token"), visma_connect_token.token, POST, visma_connect_token.identify
        ),
        f"{BASE}/connect/revocation": Endpoint(_endpoint("revocation"), revocation, POST, identify),
        f"{BASE}/connect/userinfo": Endpoint(_endpoint("userinfo"), userinfo, (*GET, *POST)),
        **site_routes.shown(SITE),
    },
    site_routes.taken(SITE),
    (TENANTS, APPS, USERS),
)
