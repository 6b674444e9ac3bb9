"""Maventa's Payslip (Direct Print): plain headers, HTTP 200 whatever happens, and the outcome as text.

Source: documentation-next.maventa.com/services-and-reach/finland/mass-printing-service.
"""

import base64
import binascii
import hashlib

import msgspec

from sandbox.exchange import NO_STORE, Exchange, Reply
from sandbox.faults import Fault
from sandbox.fixtures import Kind
from sandbox.pipeline import Endpoint
from sandbox.secrecy import digest, fingerprint, same
from sandbox.state import Sandbox
from sandbox.system import System

REGISTRATION = ("sw_api_key", "company_uuid", "company_name", "user_email", "user_pw")


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company's Maventa account; the id is the company UUID."""

    user_api_key: str


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Direct Print registration; the id is the user name."""

    password: str


class Registered(msgspec.Struct, frozen=True):
    """A company that has registered for Direct Print itself, and under which name."""

    username: str


class PayslipError(Exception):
    """The text after `ERROR: `."""


ACCOUNTS = Kind("maventa-payslip", "accounts", Account)
LOGINS = Kind("maventa-payslip", "logins", Login)
_REGISTERED = Kind("maventa-payslip", "registered", Registered)


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note the company or the user as the request names it, unproven."""
    account, login = _credentials(exchange)
    exchange.entry.client_id = account[0] or login[0] or dict(exchange.form()).get("company_uuid", "")
    if secret := account[1] or login[1]:
        exchange.entry.presented = fingerprint(secret)


def answer(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """`OK ...` or `ERROR: ...`, in both cases with 200."""
    try:
        said = _ACTIONS[exchange.request.match_info["action"]](sandbox, exchange)
    except PayslipError as error:
        exchange.decide("error", str(error))
        return _text(f"ERROR: {error}")
    exchange.decide("served")
    return _text(said)


def _register(sandbox: Sandbox, exchange: Exchange) -> str:
    form = dict(exchange.form())
    for name in REGISTRATION:
        if not form.get(name):
            raise PayslipError(f"{name.upper()} MISSING")
    company, username = form["company_uuid"], form["user_email"]
    if sandbox.fixtures.find(_REGISTERED, company) is not None:
        raise PayslipError("COMPANY UUID ALREADY REGISTERED")
    if not sandbox.fixtures.add(LOGINS, username, Login(form["user_pw"])):
        raise PayslipError("USER EMAIL ALREADY REGISTERED")
    sandbox.fixtures.put(_REGISTERED, company, Registered(username))
    return "OK"


def _file_status(sandbox: Sandbox, exchange: Exchange) -> str:
    _sign_in(sandbox, exchange)
    filename = dict(exchange.form()).get("filename", "")
    return f"OK {filename}: RECEIVED" if filename else "OK"


def _input_public(sandbox: Sandbox, exchange: Exchange) -> str:
    _sign_in(sandbox, exchange)
    form = dict(exchange.form())
    for name in ("sw_api_key", "filename", "file", "hash"):
        if not form.get(name):
            raise PayslipError(f"{name.upper()} MISSING")
    try:
        content = base64.b64decode(form["file"], validate=True)
    except (binascii.Error, ValueError):
        raise PayslipError("FILE IS NOT BASE64") from None
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != form["hash"].lower():
        raise PayslipError("HASH DOES NOT MATCH")
    return "OK"


def _sign_in(sandbox: Sandbox, exchange: Exchange) -> None:
    """One of the two ways, and not both.

    Raises: PayslipError.
    """
    account, login = _credentials(exchange)
    if any(account) and any(login):
        raise PayslipError("TWO KINDS OF CREDENTIALS")
    if any(login):
        known = sandbox.fixtures.find(LOGINS, login[0])
        _compare(known.password if known else None, login[1], "USER NOT FOUND")
    else:
        company = sandbox.fixtures.find(ACCOUNTS, account[0])
        _compare(company.user_api_key if company else None, account[1], "USER NOT FOUND", "COMPANY NOT FOUND")


def _credentials(exchange: Exchange) -> tuple[tuple[str, str], tuple[str, str]]:
    headers = exchange.request.headers
    account = (headers.get("COMPANY-UUID", ""), headers.get("USER-API-KEY", ""))
    return account, (headers.get("USERNAME", ""), headers.get("USERPW", ""))


def _compare(right: str | None, given: str, wrong: str, unknown: str = "") -> None:
    if right is None:
        raise PayslipError(unknown or wrong)
    if not same(digest(right), digest(given)):
        raise PayslipError(wrong)


def _scripted(exchange: Exchange, fault: Fault) -> Reply:
    """A fault of the kind `error`: its `error` is the text, with 200 like every other."""
    return _text(f"ERROR: {fault.error}")


def _text(text: str) -> Reply:
    return Reply(200, text.encode(), "text/plain", dict(NO_STORE))


_ACTIONS = {"register": _register, "file_status": _file_status, "input_public": _input_public}
SYSTEM = System(
    "maventa-payslip",
    {
        "/payslip/{action:register|file_status|input_public}": Endpoint(
            "maventa-payslip", answer, ("POST",), identify, {"error": _scripted}
        )
    },
    kinds=(ACCOUNTS, LOGINS),
)
