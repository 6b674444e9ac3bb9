"""The eAccounting-like API, and userinfo: what an access token opens."""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.secrecy import fingerprint
from sandbox.spoiling import api_error, too_many
from sandbox.state import Sandbox
from sandbox.users import Company

CUSTOMERS = (("Kallio Kahvila Oy", "Helsinki", "00530"), ("Tampereen Työkalu Ky", "Tampere", "33100"))
Problem = Callable[[int, str, dict[str, str]], Reply]


def _vendor_problem(status: int, text: str, headers: dict[str, str]) -> Reply:
    return api_error(status, {401: 4005, 403: 4006}[status], text, headers)


def _bare_problem(status: int, text: str, headers: dict[str, str]) -> Reply:
    return json_reply(status, {"error": text}, headers)


def companysettings(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The settings of the company that was chosen at consent."""
    row = _admitted(sandbox, exchange, ("ea:api",), _vendor_problem)
    if isinstance(row, Reply):
        return row
    company = _company(sandbox, row)
    return json_reply(
        200,
        {
            "Name": company.name,
            "CorporateIdentityNumber": company.corporate_identity_number,
            "CountryCode": "FI",
            "CurrencyCode": "EUR",
            "Email": f"office@{company.name.split()[0].lower()}.example",
        },
    )


def customers(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The customers of the chosen company, as one page of the vendor's paging."""
    row = _admitted(sandbox, exchange, ("ea:sales", "ea:sales_readonly"), _vendor_problem)
    if isinstance(row, Reply):
        return row
    data = [_customer(row["company_id"], number, *one) for number, one in enumerate(CUSTOMERS, 1001)]
    meta = {"CurrentPage": 1, "PageSize": 50, "TotalNumberOfPages": 1, "TotalNumberOfResults": len(data)}
    meta["ServerTimeUtc"] = datetime.now(UTC).isoformat()  # type: ignore[assignment]
    return json_reply(200, {"Meta": meta, "Data": data})


def userinfo(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """Who consented; only with the scope `openid`.

    Source: OpenID Connect Core section 5.3.
    """
    row = _admitted(sandbox, exchange, ("openid",), _bare_problem)
    if isinstance(row, Reply):
        return row
    user = sandbox.users.get(row["user_id"])
    claims = {"sub": row["user_id"]}
    if user is not None and "email" in row["scope"].split():
        claims["email"] = user.username
    if user is not None and "profile" in row["scope"].split():
        claims["name"] = user.username.partition("@")[0].title()
    return json_reply(200, claims)


def _admitted(sandbox: Sandbox, exchange: Exchange, scopes: tuple[str, ...], problem: Problem) -> sqlite3.Row | Reply:
    """The access token's row, or the refusal.

    Source: RFC 6750 section 3.
    """
    token = bearer(exchange)
    if token is None:
        exchange.decide("no_token", "no bearer token in the Authorization header")
        return problem(401, "Authorization has been denied for this request.", {"WWW-Authenticate": "Bearer"})
    row = sandbox.tokens.access_row(token)
    dead = "unknown token" if row is None else _why_dead(row)
    _note(exchange, token, row)
    if row is None or dead:
        exchange.decide("invalid_token", dead)
        challenge = 'Bearer error="invalid_token", error_description="The access token is not valid"'
        return problem(401, "The access token is not valid.", {"WWW-Authenticate": challenge})
    return _with_right(sandbox, exchange, row, scopes, problem)


def _with_right(
    sandbox: Sandbox, exchange: Exchange, row: sqlite3.Row, scopes: tuple[str, ...], problem: Problem
) -> sqlite3.Row | Reply:
    if not set(scopes) & set(row["scope"].split()):
        exchange.decide("insufficient_scope", f"one of {' '.join(scopes)} is needed")
        challenge = f'Bearer error="insufficient_scope", scope="{scopes[-1]}"'
        return problem(403, f"The scope {scopes[-1]} is missing.", {"WWW-Authenticate": challenge})
    client = sandbox.clients.get(row["client_id"])
    limit = client.settings.api_requests_per_minute if client else 0
    wait = sandbox.rate.wait(row["client_id"], exchange.entry.endpoint, limit)
    if wait:
        exchange.decide("rate_limited", f"more than {limit} requests a minute")
        return too_many(wait, exchange.entry.endpoint)
    exchange.decide("served")
    return row


def bearer(exchange: Exchange) -> str | None:
    """The token of a Bearer Authorization header, or None.

    Source: RFC 6750 section 2.1.
    """
    scheme, _, token = exchange.request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _why_dead(row: sqlite3.Row) -> str:
    if row["revoked_why"]:
        return f"the grant was revoked: {row['revoked_why']}"
    if row["revoked"]:
        return "the access token was revoked"
    return "the access token has expired" if row["expires_at"] <= time.time() else ""


def _note(exchange: Exchange, token: str, row: sqlite3.Row | None) -> None:
    exchange.entry.presented = fingerprint(token)
    if row is not None:
        exchange.entry.client_id, exchange.entry.user = row["client_id"], row["user_id"]
        exchange.entry.grant = row["grant_id"]


def _company(sandbox: Sandbox, row: sqlite3.Row) -> Company:
    user = sandbox.users.get(row["user_id"])
    found = user.company(row["company_id"]) if user else None
    return found or Company("Unknown Oy", "0000000-0", row["company_id"])


def _customer(company_id: str, number: int, name: str, city: str, postal_code: str) -> dict[str, Any]:
    return {
        "Id": str(uuid5(NAMESPACE_URL, f"{company_id}:{number}")),
        "CustomerNumber": str(number),
        "Name": name,
        "InvoiceCity": city,
        "InvoicePostalCode": postal_code,
        "InvoiceCountryCode": "FI",
        "CurrencyCode": "EUR",
        "IsPrivatePerson": False,
        "IsActive": True,
    }
