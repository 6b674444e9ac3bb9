"""Netvisor's replies: XML, with the outcome inside it.

Source: support.netvisor.fi articles 77000500440 (status, error codes) and 77000554179 (customerlist.nv).
"""

from datetime import UTC, datetime
from html import escape

from sandbox.exchange import Exchange, Reply
from sandbox.faults import Fault
from sandbox.netvisor_signature import LANGUAGE, STATUS_CODES
from sandbox.netvisor_texts import sentence
from sandbox.received import Received, received

DECLARATION = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>'
# Which status comes with which code is not published: these are assumed.
STATUSES = {
    "AUTHENTICATION_FAILED": 401,
    "SERVICE_ACCESS_ERROR": 403,
    "REQUEST_NOT_UNIQUE": 409,
    "DUPLICATE_DATA": 409,
    "PERIOD_LOCK": 409,
    "INVALID_DATA": 400,
    "INVALID_DATA_SIZE": 413,
    "SYSTEM_MAINTENANCE": 503,
}


class NetvisorError(Exception):
    """A request that is refused: the vendor's code, and which of our sentences goes with it."""

    def __init__(self, code: str, problem: str, about: str = "") -> None:
        super().__init__(f"{code}: {problem} {about}".rstrip())
        self.code, self.problem, self.about = code, problem, about


def accepted(inner: str) -> Reply:
    """A reply that says OK and holds these elements."""
    return _reply(200, f"<Status>OK</Status>{_now()}", inner)


def refused(request: Received, error: NetvisorError) -> Reply:
    """The refusal in the request's language, with a status of its own if the request asked for that."""
    text = sentence(error.problem, request.text(LANGUAGE), error.about)
    return _failed(request, error.code, text)


def scripted(exchange: Exchange, fault: Fault) -> Reply:
    """What a fault of the kind `error` looks like here: its `error` is the vendor's code."""
    code = "TECHNICAL_ERROR" if fault.error == "server_error" else fault.error
    request = received(exchange.request, exchange.body)
    if code == "SYSTEM_MAINTENANCE":
        return refused(request, NetvisorError(code, "maintenance"))
    return _failed(request, code, fault.error_description)


def _failed(request: Received, code: str, text: str) -> Reply:
    with_status = request.text(STATUS_CODES) == "1"
    outcome = f"<Status>FAILED</Status><Status>{escape(f'{code} :: {text}', quote=False)}</Status>"
    return _reply(STATUSES.get(code, 500) if with_status else 200, f"{outcome}{_now()}", "")


def _reply(status: int, outcome: str, inner: str) -> Reply:
    body = f"{DECLARATION}\n<Root><ResponseStatus>{outcome}</ResponseStatus>{inner}</Root>"
    return Reply(status, body.encode(), "text/xml", {"Cache-Control": "private"})


def _now() -> str:
    now = datetime.now(UTC)
    return f"<TimeStamp>{now.day}.{now.month}.{now:%Y %H:%M:%S}</TimeStamp>"
