"""Maventa's token endpoint: client credentials, for a company's user or for an operator."""

import email
import email.policy
import json
import time
from typing import Any

from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.maventa_accounts import (
    ALIASES,
    COMPANIES,
    OPERATOR,
    OPERATORS,
    SINGLE,
    TOKENS,
    VENDORS,
    Company,
    Operator,
    problem,
    rights,
)
from sandbox.minted import Minted
from sandbox.secrecy import digest, fingerprint, same
from sandbox.state import Sandbox

DEFAULT = ("global", "company")


class Refused(Exception):
    """A token request that comes to nothing."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note in the log who asks and with which key."""
    given = _parameters(exchange)
    exchange.entry.client_id = given.get("client_id", "")
    if secret := given.get("client_secret"):
        exchange.entry.presented = fingerprint(secret)


def token(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """An access token of bearer type, or the vendor's envelope.

    Source: the vendor's API specification; what a refused token request looks like is not published, so the
    envelope of the API and the error texts of the older SOAP API are assumed.
    """
    try:
        given = _needed(_parameters(exchange))
        operator = sandbox.fixtures.find(OPERATORS, given["client_id"])
        if operator is not None:
            minted, seconds = _for_operator(operator, given)
        else:
            minted, seconds = _for_company(sandbox, given)
    except Refused as error:
        exchange.decide(error.code, error.message)
        return problem(error.status, error.code, error.message)
    granted = " ".join(_named(minted.scopes, _asked(given, DEFAULT)))
    access = TOKENS.strike(sandbox, exchange, minted)
    members = {"access_token": access, "token_type": "bearer", "expires_in": seconds, "scope": granted}
    return json_reply(200, members)


def _needed(given: dict[str, str]) -> dict[str, str]:
    if given.get("grant_type") != "client_credentials":
        raise Refused(400, "unsupported_grant_type", "grant_type does not have a valid value")
    for name in ("client_id", "client_secret"):
        if not given.get(name):
            raise Refused(400, "invalid_request", f"{name} is missing")
    return given


def _for_operator(operator: Operator, given: dict[str, str]) -> tuple[Minted, int]:
    if not same(digest(operator.secret), digest(given["client_secret"])):
        raise Refused(401, "invalid_client", "ERROR: OPERATOR NOT FOUND")
    asked = _asked(given, operator.scopes)
    strange = [one for one in asked if not one.startswith(OPERATOR)]
    if strange:
        raise Refused(400, "invalid_scope", f"scope does not have a valid value: {strange[0]}")
    return _minted(given, asked, operator.scopes, operator.token_seconds)


def _for_company(sandbox: Sandbox, given: dict[str, str]) -> tuple[Minted, int]:
    vendor_key = given.get("vendor_api_key")
    if not vendor_key:
        raise Refused(400, "invalid_request", "vendor_api_key is missing")
    vendor = sandbox.fixtures.find(VENDORS, vendor_key)
    if vendor is None or not vendor.enabled:
        raise Refused(401, "invalid_client", "ERROR: VENDOR API KEY DISABLED")
    company = _company(sandbox, given)
    asked = _asked(given, DEFAULT)
    strange = [one for one in asked if one not in ALIASES and one not in SINGLE]
    if strange:
        raise Refused(400, "invalid_scope", f"scope does not have a valid value: {strange[0]}")
    allowed = company.keys[given["client_secret"]]
    return _minted(given, asked, tuple(SINGLE) if allowed is None else allowed, company.token_seconds)


def _company(sandbox: Sandbox, given: dict[str, str]) -> Company:
    company = sandbox.fixtures.find(COMPANIES, given["client_id"])
    if company is None:
        raise Refused(401, "invalid_client", "ERROR: COMPANY NOT FOUND")
    if given["client_secret"] not in company.keys:
        raise Refused(401, "invalid_client", "ERROR: USER NOT FOUND")
    if company.locked:
        raise Refused(401, "invalid_client", "ERROR: COMPANY ACCOUNT IS LOCKED")
    return company


def _minted(
    given: dict[str, str], asked: tuple[str, ...], allowed: tuple[str, ...], seconds: int
) -> tuple[Minted, int]:
    """What the key may not have is left out of the token; the reply's `scope` says so."""
    may = set(rights(allowed))
    scopes = tuple(one for one in rights(asked) if one in may)
    if not scopes:
        raise Refused(401, "access_denied", "ERROR: USER HAS NO RIGHTS TO COMPANY")
    client_id, key = given["client_id"], digest(given["client_secret"])
    return Minted(client_id, client_id, scopes, time.time() + seconds, key), seconds


def _asked(given: dict[str, str], default: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(given.get("scope", "").split())) or default


def _named(granted: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes by the names that they were asked for, unless some of them were left out."""
    return asked if set(rights(asked)) == set(granted) else granted


def _parameters(exchange: Exchange) -> dict[str, str]:
    """The parameters of a form, a multipart form or a JSON object; none if it cannot be read."""
    kind = exchange.request.content_type
    if kind == "multipart/form-data":
        return _multipart(exchange.request.headers["Content-Type"], exchange.body)
    if kind == "application/json":
        return _members(exchange.body)
    return dict(exchange.form())


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    head = b"Content-Type: " + content_type.encode("ascii", "replace") + b"\r\n\r\n"
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    parts = message.iter_parts() if message.is_multipart() else ()
    named = ((part.get_param("name", header="content-disposition"), part.get_content()) for part in parts)
    return {str(name): value.strip() for name, value in named if name and isinstance(value, str)}


def _members(body: bytes) -> dict[str, str]:
    try:
        members: Any = json.loads(body)
    except ValueError:
        return {}
    return (
        {name: value for name, value in members.items() if isinstance(value, str)} if isinstance(members, dict) else {}
    )
