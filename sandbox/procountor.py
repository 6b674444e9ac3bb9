"""Procountor: client credentials together with a company's API key."""

import time
from uuid import NAMESPACE_URL, uuid5

import msgspec

from sandbox.api import bearer
from sandbox.client_authentication import read_form
from sandbox.errors import OAuthError
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.fixtures import Kind
from sandbox.minted import Minted, mint_of
from sandbox.pipeline import Endpoint
from sandbox.secrecy import digest, fingerprint, same
from sandbox.shapes import shapes
from sandbox.state import Sandbox
from sandbox.system import System

NAME = "procountor"


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registered program, by its client id; it has exactly one redirect URI."""

    secret: str
    redirect_uri: str
    token_seconds: int = 3600


class Company(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company, by an API key that a user of it made for one program; without client_id it serves them all."""

    name: str = "Tilitoimisto Oy"
    client_id: str = ""


APPS = Kind(NAME, "apps", App)
COMPANIES = Kind(NAME, "companies", Company)
TOKENS = mint_of(NAME)


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note in the log who asks and with which API key."""
    given = dict(exchange.form())
    exchange.entry.client_id = given.get("client_id", "")
    if key := given.get("api_key"):
        exchange.entry.presented = fingerprint(key)


def token(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """An access token for the company of the API key.

    Raises: OAuthError.
    Source: the vendor's page on machine to machine authentication; which error comes for what is assumed.
    """
    given = read_form(exchange)
    if "Authorization" in exchange.request.headers:
        raise OAuthError("invalid_request", "client_id and client_secret belong into the form")
    if given.get("grant_type") != "client_credentials":
        raise OAuthError("unsupported_grant_type", "only client_credentials")
    app = sandbox.fixtures.find(APPS, given.get("client_id", ""))
    if app is None or not same(digest(app.secret), digest(given.get("client_secret", ""))):
        raise OAuthError("invalid_client", "unknown client or wrong secret", status=401)
    if given.get("redirect_uri") != app.redirect_uri:
        raise OAuthError("invalid_request", "redirect_uri is missing or not the registered one")
    company = sandbox.fixtures.find(COMPANIES, given.get("api_key", ""))
    if company is None or company.client_id not in ("", given["client_id"]):
        raise OAuthError("invalid_grant", "the API key is unknown or was made for another client")
    minted = Minted(given["client_id"], company.name, (), time.time() + app.token_seconds, digest(given["api_key"]))
    access = TOKENS.strike(sandbox, exchange, minted)
    return json_reply(200, {"access_token": access, "token_type": "bearer", "expires_in": app.token_seconds})


def company(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The company whose key it was."""
    minted, why = TOKENS.shown(sandbox, exchange, bearer(exchange) or "")
    if minted is None or (why := _why_shut(sandbox, minted)):
        exchange.decide("invalid_token", why)
        return _problem(401, "INVALID_ACCESS_TOKEN", "")
    exchange.decide("served")
    number = uuid5(NAMESPACE_URL, minted.account).int % 100_000
    return json_reply(200, {"id": number, "name": minted.account, "country": "FINLAND"})


def _problem(status: int, code: str, _: str) -> Reply:
    return json_reply(status, {"errors": [{"status": status, "message": code}]})


def _why_shut(sandbox: Sandbox, minted: Minted) -> str:
    keys = {digest(one) for one in sandbox.fixtures.all(COMPANIES)}
    return "" if minted.key in keys else "the API key was revoked"


SHAPES = shapes(_problem, "INTERNAL_ERROR", "TOO_MANY_REQUESTS")
SYSTEM = System(
    NAME,
    {
        "/procountor/api/oauth/token": Endpoint("procountor.token", token, ("POST",), identify),
        "/procountor/api/company": Endpoint("procountor.api", company, ("GET",), shapes=SHAPES),
    },
    kinds=(APPS, COMPANIES),
)
