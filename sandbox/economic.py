"""e-conomic: the app's secret and the agreement's grant token in two headers.

Source: e-conomic.com/developer/authentication and /developer/connect.
"""

from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.faults import Fault
from sandbox.fixtures import Kind
from sandbox.pipeline import Endpoint
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox
from sandbox.system import System

DEMO = "demo"
CUSTOMERS = ((1, "Kallio Kahvila Oy"), (2, "Tampereen Työkalu Ky"))


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An app; the id is its secret token."""

    name: str


class Agreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer's agreement; the id is the grant token that it gave."""

    number: int
    company: str


APPS = Kind("e-conomic", "apps", App)
AGREEMENTS = Kind("e-conomic", "agreements", Agreement)


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note whose tokens these are; both are secrets, so the log has the app's name and the agreement's number."""
    app_token, grant_token = _tokens(exchange)
    app, agreement = _known(sandbox, app_token, grant_token)
    exchange.entry.client_id = app.name if app else ""
    exchange.entry.user = str(agreement.number) if agreement else ""
    exchange.entry.presented = fingerprint(grant_token) if grant_token else ""


def own(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """GET /self: whose agreement the grant token opens."""
    agreement = _admitted(sandbox, exchange)
    if isinstance(agreement, Reply):
        return agreement
    exchange.decide("served")
    company = {"name": agreement.company, "country": "Denmark"}
    members = {"agreementNumber": agreement.number, "userName": "API", "company": company}
    return json_reply(200, {**members, "self": f"{sandbox.issuer}/e-conomic/self"})


def customers(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The agreement's customers, or a new one, which the demo pair may not make."""
    agreement = _admitted(sandbox, exchange)
    if isinstance(agreement, Reply):
        return agreement
    if exchange.request.method == "POST":
        return _created(exchange)
    exchange.decide("served")
    page = {"maxPageSizeAllowed": 1000, "skipPages": 0, "pageSize": 20, "results": len(CUSTOMERS)}
    collection = [{"customerNumber": number, "name": name, "currency": "EUR"} for number, name in CUSTOMERS]
    return json_reply(200, {"collection": collection, "pagination": page})


def _created(exchange: Exchange) -> Reply:
    if _tokens(exchange)[1] == DEMO:
        exchange.decide("demo_reads_only")
        return _problem(403, "E00500", "The demo agreement can only be read.")
    exchange.decide("served")
    return json_reply(201, {"customerNumber": CUSTOMERS[-1][0] + 1})


def _admitted(sandbox: Sandbox, exchange: Exchange) -> Agreement | Reply:
    app, agreement = _known(sandbox, *_tokens(exchange))
    if app is None or agreement is None:
        wrong = "X-AppSecretToken" if app is None else "X-AgreementGrantToken"
        exchange.decide("unauthorized", f"{wrong} is missing or unknown")
        return _problem(401, "E02250", "Access denied.")
    return agreement


def _tokens(exchange: Exchange) -> tuple[str, str]:
    headers = exchange.request.headers
    return headers.get("X-AppSecretToken", ""), headers.get("X-AgreementGrantToken", "")


def _known(sandbox: Sandbox, app_token: str, grant_token: str) -> tuple[App | None, Agreement | None]:
    if (app_token, grant_token) == (DEMO, DEMO):
        return App(DEMO), Agreement(1, "Demo")
    return sandbox.fixtures.find(APPS, app_token), sandbox.fixtures.find(AGREEMENTS, grant_token)


def _scripted(exchange: Exchange, fault: Fault) -> Reply:
    """A fault of the kind `error`: its `error` is the vendor's code."""
    return _problem(fault.status or 400, fault.error, fault.error_description)


def _problem(status: int, code: str, message: str) -> Reply:
    """The vendor's form; it does not say which of the two tokens is wrong."""
    members = {"message": message, "errorCode": code, "developerHint": "Check the two token headers."}
    more = {"logId": str(uuid4()), "httpStatusCode": status, "errors": []}
    return json_reply(status, {**members, **more, "logTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"})


SYSTEM = System(
    "e-conomic",
    {
        "/e-conomic/self": Endpoint("e-conomic", own, ("GET",), identify, {"error": _scripted}),
        "/e-conomic/customers": Endpoint("e-conomic", customers, ("GET", "POST"), identify, {"error": _scripted}),
    },
    kinds=(APPS, AGREEMENTS),
)
