"""An answer, before a server or a framework has it: the hot routes are served with Django and below it alike."""

import math
from typing import NamedTuple

import msgspec
from django.http import HttpResponse

from broker.api import problems
from broker.errors import BrokerError
from broker.services import rate_limits

_encode = msgspec.json.encode


class Reply(NamedTuple):
    """Status, headers and body. Every answer is kept out of caches."""

    status: int
    body: bytes
    headers: list[tuple[str, str]]


def answer(members: object) -> Reply:
    """Return what a caller asked for."""
    return encoded(_encode(members))


def encoded(body: bytes, content_type: str = "application/json") -> Reply:
    """As answer, for what is JSON already, or of another type."""
    return Reply(200, body, _headers(content_type, body))


def problem(error: BrokerError) -> Reply:
    """Return a refusal, with Retry-After and WWW-Authenticate where they belong."""
    body = _encode(problems.members(error))
    headers = _headers(problems.CONTENT_TYPE, body)
    if error.retry_after is not None:
        headers.append(("Retry-After", str(math.ceil(error.retry_after))))
    if error.status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    return Reply(error.status, body, headers)


def as_response(reply: Reply) -> HttpResponse:
    """Return it as Django wants it."""
    return HttpResponse(reply.body, status=reply.status, headers=dict(reply.headers))


def _headers(content_type: str, body: bytes) -> list[tuple[str, str]]:
    return [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *rate_limits.headers(),
    ]
