"""Tripletex: a session token made of two others, and calls with Basic authentication."""

import time
from datetime import UTC, date, datetime
from uuid import uuid4

import msgspec

from sandbox.client_authentication import basic_parts
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.fixtures import Kind
from sandbox.minted import Minted, mint_of
from sandbox.pipeline import Endpoint
from sandbox.secrecy import digest, fingerprint
from sandbox.shapes import shapes
from sandbox.state import Sandbox
from sandbox.system import System

NAME = "tripletex"
RATE = {"X-Rate-Limit-Limit": "100", "X-Rate-Limit-Remaining": "99", "X-Rate-Limit-Reset": "1"}
WHO_AM_I = ">whoAmI"


class Consumer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A program, by its consumer token; session_seconds ends its sessions earlier than their date says."""

    name: str = "Program"
    session_seconds: int | None = None


class Employee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's key in one company, by its employee token."""

    company: str = "Fjord AS"


CONSUMERS = Kind(NAME, "consumers", Consumer)
EMPLOYEES = Kind(NAME, "employees", Employee)
TOKENS = mint_of(NAME)


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note which employee token is shown, and the program's name."""
    given = dict(exchange.query())
    consumer = sandbox.fixtures.find(CONSUMERS, given.get("consumerToken", ""))
    exchange.entry.client_id = consumer.name if consumer else ""
    if employee := given.get("employeeToken"):
        exchange.entry.presented = fingerprint(employee)


def create_session(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """A session token, good until its expiration date begins.

    Source: the vendor's API specification. Which hour of that day ends it is not published: its first, in UTC, is
    assumed, and so a date that is not in the future is refused.
    """
    given = dict(exchange.query())
    for name in ("consumerToken", "employeeToken", "expirationDate"):
        if not given.get(name):
            return _invalid(exchange, name, "may not be null")
    until = _day(given["expirationDate"])
    if until is None or until <= datetime.now(UTC).date():
        return _invalid(exchange, "expirationDate", "must be a date in the future, yyyy-MM-dd")
    consumer = sandbox.fixtures.find(CONSUMERS, given["consumerToken"])
    employee = sandbox.fixtures.find(EMPLOYEES, given["employeeToken"])
    if consumer is None:
        return _unauthorized(exchange, "invalid_client", "Invalid consumerToken")
    if employee is None:
        return _unauthorized(exchange, "invalid_grant", "Invalid employeeToken")
    expires_at = _end(until, consumer.session_seconds)
    minted = Minted(consumer.name, employee.company, (), expires_at, digest(given["employeeToken"]))
    token = TOKENS.strike(sandbox, exchange, minted)
    value = {"id": 1, "version": 0, "expirationDate": until.isoformat(), "token": token, "encryptionKey": None}
    return json_reply(200, {"value": value}, RATE)


def session(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """Who the session belongs to (GET), or its end (DELETE)."""
    minted = _admitted(sandbox, exchange)
    if isinstance(minted, Reply):
        return minted
    named = exchange.request.match_info["token"]
    if exchange.request.method == "DELETE" and TOKENS.melt(sandbox, named):
        exchange.decide("session_ended")
        return Reply(204, b"", headers=dict(RATE))
    if exchange.request.method == "GET" and named == WHO_AM_I:
        company = {"id": company_id(minted.account), "displayName": minted.account, "name": minted.account}
        value = {"employeeId": 1, "companyId": company["id"], "company": company, "language": "no"}
        return json_reply(200, {"value": value}, RATE)
    exchange.decide("not_found")
    return _problem(404, 6000, "Object not found")


def customers(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The customers of the company: none."""
    minted = _admitted(sandbox, exchange)
    listed = {"fullResultSize": 0, "from": 0, "count": 0, "values": []}
    return minted if isinstance(minted, Reply) else json_reply(200, listed, RATE)


def company_id(company: str) -> int:
    """The company's number, the same at every start and for each of its employees."""
    return int(digest(company)[:7], 16)


def _admitted(sandbox: Sandbox, exchange: Exchange) -> Minted | Reply:
    user, token = basic_parts(exchange.request.headers.get("Authorization", ""))
    minted, why = TOKENS.shown(sandbox, exchange, token)
    if minted is None:
        return _unauthorized(exchange, "invalid_token", why)
    if minted.key not in {digest(one) for one in sandbox.fixtures.all(EMPLOYEES)}:
        return _unauthorized(exchange, "invalid_token", "the employee token was deleted")
    if user not in ("0", str(company_id(minted.account))):
        return _unauthorized(exchange, "wrong_user", "the user is 0 or the company's number")
    exchange.decide("served")
    return minted


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, not an instant
    except ValueError:
        return None


def _end(day: date, seconds: int | None) -> float:
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return begins if seconds is None else min(begins, time.time() + seconds)


def _unauthorized(exchange: Exchange, decision: str, reason: str) -> Reply:
    exchange.decide(decision, reason)
    return _problem(401, 3000, "Unauthorized", reason if decision != "invalid_token" else "")


def _invalid(exchange: Exchange, field: str, message: str) -> Reply:
    exchange.decide("invalid_request", f"{field} {message}")
    return _problem(422, 15000, "Validation failed.", "", [{"field": field, "message": message}])


def _problem(
    status: int, code: int, message: str, developer: str = "", fields: list[dict[str, str]] | None = None
) -> Reply:
    body = {"status": status, "code": code, "message": message, "developerMessage": developer}
    return json_reply(status, {**body, "validationMessages": fields, "requestId": str(uuid4())}, RATE)


def _scripted(status: int, code: str, message: str) -> Reply:
    return _problem(status, int(code) if code.isdigit() else 0, message)


SHAPES = shapes(_scripted, "1000", "10000", wait_header="X-Rate-Limit-Reset")
SYSTEM = System(
    NAME,
    {
        "/tripletex/v2/token/session/:create": Endpoint(
            "tripletex.token", create_session, ("PUT",), identify, shapes=SHAPES
        ),
        "/tripletex/v2/token/session/{token}": Endpoint("tripletex.api", session, ("GET", "DELETE"), shapes=SHAPES),
        "/tripletex/v2/customer": Endpoint("tripletex.api", customers, ("GET",), shapes=SHAPES),
    },
    kinds=(CONSUMERS, EMPLOYEES),
)
