"""Severa: a JSON token request, and calls that name the client in a header besides."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from sandbox.api import bearer
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.fixtures import Kind
from sandbox.minted import Minted, mint_of
from sandbox.pipeline import Endpoint
from sandbox.secrecy import digest, fingerprint, new_token, same
from sandbox.shapes import shapes
from sandbox.state import Sandbox
from sandbox.system import System

NAME = "severa"
BASE = "/severa/rest-api/v1"


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An integration that a company made in its Severa, by its client id."""

    secret: str
    scopes: tuple[str, ...] = ("organization:read", "customers:read")
    company: str = "Konsultit Oy"
    token_seconds: int = 3600


APPS = Kind(NAME, "apps", App)
TOKENS = mint_of(NAME)


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note in the log who asks and with which secret."""
    given = _members(exchange.body)
    exchange.entry.client_id = _text(given, "client_id")
    if secret := _text(given, "client_secret"):
        exchange.entry.presented = fingerprint(secret)


def token(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """An access token; it comes with a refresh token that nobody needs, since the secret makes another.

    Source: the vendor's REST API documentation; what a refusal looks like is assumed.
    """
    if exchange.request.content_type != "application/json":
        return _refused(exchange, 415, "invalid_request", "The request body must be JSON.")
    given = _members(exchange.body)
    client_id, secret = _text(given, "client_id"), _text(given, "client_secret")
    if not client_id or not secret:
        return _refused(exchange, 400, "invalid_request", "client_id and client_secret are required.")
    app = sandbox.fixtures.find(APPS, client_id)
    if app is None or not same(digest(app.secret), digest(secret)):
        return _refused(exchange, 401, "invalid_client", "Invalid client credentials.")
    asked = tuple(one.strip() for one in _text(given, "scope").split(",") if one.strip()) or app.scopes
    if strange := [one for one in asked if one not in app.scopes]:
        return _refused(exchange, 400, "invalid_scope", f"Invalid scope: {strange[0]}"[:200])
    minted = Minted(client_id, app.company, asked, time.time() + app.token_seconds, digest(app.secret))
    return _issued(TOKENS.strike(sandbox, exchange, minted), minted, app.token_seconds)


def organization(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The company whose Severa it is; which scope that takes is assumed."""
    minted = _admitted(sandbox, exchange, "organization:read")
    if isinstance(minted, Reply):
        return minted
    return json_reply(200, {"guid": str(uuid5(NAMESPACE_URL, minted.account)), "name": minted.account})


def customers(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The customers of the company: none."""
    minted = _admitted(sandbox, exchange, "customers:read")
    return minted if isinstance(minted, Reply) else json_reply(200, [])


def _issued(access: str, minted: Minted, seconds: int) -> Reply:
    members = {
        "access_token": access,
        "access_token_type": "Bearer",
        "access_token_expires_in": seconds,
        "access_token_expires_utc": _instant(minted.expires_at),
        "refresh_token": new_token(),
        "refresh_token_expires_in": 2 * seconds,
        "refresh_token_expires_utc": _instant(minted.expires_at + seconds),
        "scope": ",".join(minted.scopes),
    }
    return json_reply(200, members)


def _admitted(sandbox: Sandbox, exchange: Exchange, scope: str) -> Minted | Reply:
    minted, why = TOKENS.shown(sandbox, exchange, bearer(exchange) or "")
    if minted is None:
        return _refused(exchange, 401, "invalid_token", why)
    app = sandbox.fixtures.find(APPS, minted.client_id)
    if app is None or digest(app.secret) != minted.key:
        return _refused(exchange, 401, "invalid_token", "the integration was deleted or has another secret")
    if exchange.request.headers.get("Client_Id") != minted.client_id:
        return _refused(exchange, 401, "no_client_id", "the header Client_Id is missing or names another client")
    if scope not in minted.scopes:
        return _refused(exchange, 403, "insufficient_scope", f"the scope {scope} is missing")
    exchange.decide("served")
    return minted


def _refused(exchange: Exchange, status: int, decision: str, text: str) -> Reply:
    exchange.decide(decision, text)
    return _problem(status, decision, text)


def _problem(status: int, code: str, message: str) -> Reply:
    return json_reply(status, {"code": code, "message": message})


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


SHAPES = shapes(_problem, "internal_error", "too_many_requests")
SYSTEM = System(
    NAME,
    {
        f"{BASE}/token": Endpoint("severa.token", token, ("POST",), identify, SHAPES),
        f"{BASE}/organizationdetails": Endpoint("severa.api", organization, ("GET",), shapes=SHAPES),
        f"{BASE}/customers": Endpoint("severa.api", customers, ("GET",), shapes=SHAPES),
    },
    kinds=(APPS,),
)
