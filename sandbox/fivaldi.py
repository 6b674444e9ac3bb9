"""Fivaldi: one partner's signature opens the companies that gave it access."""

import json
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from sandbox import fivaldi_signature as signature
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.faults import Fault
from sandbox.fivaldi_judge import (
    BURST_CAPACITY,
    COMPANIES,
    PARTNERS,
    Company,
    Partner,
    Unauthorized,
    proven_partner,
    rate_headers,
    remaining,
)
from sandbox.pipeline import Endpoint
from sandbox.received import Received, received
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox
from sandbox.system import System

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CUSTOMERS = (
    {"customerId": "1", "businessId": "2345678-0", "customerName": "Kallio Kahvila Oy"},
    {"customerId": "2", "businessId": "3456788-1", "customerName": "Tampereen Työkalu Ky"},
)


class Refused(Exception):
    """A request that is understood and not carried out."""

    def __init__(self, status: int, message: str = "", errors: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors

    def reply(self) -> Reply:
        """400 and 404 have a body, 403 has none: so the vendor's API description."""
        if not self.message:
            return Reply(self.status, b"", "text/plain")
        body: dict[str, Any] = {"status": self.status, "message": self.message}
        return json_reply(self.status, {**body, "errors": list(self.errors)} if self.errors else body)


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note the partner as the request names it, unproven, and the company."""
    request = received(exchange.request, exchange.body)
    exchange.entry.client_id = request.text(signature.PARTNER)
    exchange.entry.user = exchange.request.match_info.get("cuid", "")
    if presented := request.text("authorization"):
        exchange.entry.presented = fingerprint(presented)


def answer(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The reply, with the rate-limit headers that every reply has."""
    request = received(exchange.request, exchange.body)
    left = BURST_CAPACITY
    try:
        partner = proven_partner(sandbox, request)
        left = remaining(sandbox, request.text(signature.PARTNER))
        reply = _limited(sandbox, exchange, request, partner, left)
    except Unauthorized as error:
        exchange.decide("unauthorized", str(error))
        reply = Reply(401, b"", "text/plain")
    return replace(reply, headers={**reply.headers, **rate_headers(max(left, 0))})


def _limited(sandbox: Sandbox, exchange: Exchange, request: Received, partner: Partner, left: int) -> Reply:
    if partner.rate_limited and left < 0:
        exchange.decide("rate_limited", "the bucket is empty")
        return Reply(429, b"", "text/plain")
    try:
        reply = _resource(sandbox, exchange, request, partner)
    except Refused as error:
        exchange.decide(f"refused_{error.status}", error.message or "another partner's company")
        return error.reply()
    exchange.decide("served")
    return reply


def _resource(sandbox: Sandbox, exchange: Exchange, request: Received, partner: Partner) -> Reply:
    found = exchange.request.match_info
    if "cuid" in found:
        return _of_company(sandbox, request, partner, found["cuid"], found.get("rest", ""))
    if request.method == "GET" and found["resource"] == "ping":
        return json_reply(200, {"message": "pong"})
    if request.method == "GET" and found["resource"] == "customers":
        return json_reply(200, _companies(sandbox, partner, {}))
    if request.method == "GET" and found["resource"] == "companies":
        return json_reply(200, _companies(sandbox, partner, dict(parse_qsl(request.target.partition("?")[2]))))
    raise Refused(404, f"{request.method} {found['resource'][:80]} is unknown")


def _companies(sandbox: Sandbox, partner: Partner, asked: dict[str, str]) -> list[dict[str, str]]:
    """The partner's companies; with `businessId` or `customerId` the one that is asked for."""
    shown = [
        _shown(cuid, company)
        for cuid in partner.companies
        if (company := sandbox.fixtures.find(COMPANIES, cuid)) is not None
    ]
    names = [name for name in ("businessId", "customerId") if name in asked]
    return [one for one in shown if all(one[name] == asked[name] for name in names)]


def _shown(cuid: str, company: Company) -> dict[str, str]:
    """The vendor's description of the list has no cuid; clients read one there."""
    return {"cuid": cuid, "customerId": cuid, "businessId": company.business_id, "name1": company.name, "name2": ""}


def _of_company(sandbox: Sandbox, request: Received, partner: Partner, cuid: str, rest: str) -> Reply:
    company = sandbox.fixtures.find(COMPANIES, cuid)
    if company is None:
        raise Refused(404, f"company {cuid[:40]} was not found")
    if cuid not in partner.companies:
        raise Refused(403)
    if request.method == "GET" and not rest:
        return json_reply(200, _shown(cuid, company))
    if request.method == "GET" and rest == "customers":
        return json_reply(200, list(CUSTOMERS))
    if request.method == "GET":
        raise Refused(404, f"{rest[:80]} was not found")
    return json_reply(200, {"path": rest, "method": request.method, **_read(request)})


def _read(request: Received) -> dict[str, Any]:
    """What was understood of a body: the echo that proves a signed upload arrived whole."""
    content_type = request.text("content-type")
    if content_type.startswith("application/json"):
        try:
            return {"json": json.loads(request.body)}
        except ValueError as error:
            raise Refused(400, "the body is not JSON", (str(error),)) from None
    if content_type.startswith("multipart/form-data"):
        return {"parts": [_part(part) for part in _parts(content_type, request.body)]}
    return {"bytes": len(request.body)}


def _parts(content_type: str, body: bytes) -> list[Message]:
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = message.get_payload()
    if not isinstance(parts, list):
        raise Refused(400, "the body is not multipart", ("no boundary was found",))
    return [part for part in parts if isinstance(part, Message)]


def _part(part: Message) -> dict[str, Any]:
    content = part.get_payload(decode=True)
    name = part.get_param("name", "", "content-disposition")
    return {"name": name, "filename": part.get_filename(), "bytes": len(content) if isinstance(content, bytes) else 0}


def _scripted(exchange: Exchange, fault: Fault) -> Reply:
    """A fault of the kind `error`: its `error_description` is the message."""
    return Refused(fault.status or 400, fault.error_description).reply()


_ENDPOINT = Endpoint("fivaldi", answer, METHODS, identify, {"error": _scripted})
SYSTEM = System(
    "fivaldi",
    {
        "/fivaldi/customer/api/{resource}": _ENDPOINT,
        "/fivaldi/customer/api/companies/{cuid}": _ENDPOINT,
        "/fivaldi/customer/api/companies/{cuid}/{rest:.+}": _ENDPOINT,
    },
    kinds=(PARTNERS, COMPANIES),
)
