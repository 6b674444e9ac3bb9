"""HTTP/1.1 as this door speaks it: one request on a connection of its own, one answer.

The answer is read by the standard library's parser. That one is forgiving where a message could be read in two
ways; here such an answer is refused, because what a token endpoint says must not depend on who reads it.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from urllib.parse import SplitResult

from providers.messages import HttpResponse
from providers.outbound.network import TooLong, Wire

# Status line and headers.
_LARGEST_HEAD = 131_072
# Chunks carry their own lengths around the body; a peer that sends mostly those is cut off.
_FRAMING = 2
_DEFAULT_PORTS = {"http": 80, "https": 443}
_TARGET = re.compile(r"[!-~]+")
# RFC 9110 sections 5.1 and 5.5.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?|")


class Unsendable(Exception):
    """The request is none that HTTP can carry; says nothing more, since it would quote it."""


class NotHttp(Exception):
    """The answer broke off, or is none that can be read in one way only."""


class BodyTooLarge(Exception):
    """The body is over the cap."""


def request_bytes(method: str, url: SplitResult, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The request as it goes over the wire.

    Raises: Unsendable.
    """
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = {"Host": _host(url), **headers}
    if body is not None:
        lines["Content-Length"] = str(len(body))
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise Unsendable
    for name, value in lines.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Unsendable
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    # One byte a character, as servers read values (RFC 9110 section 5.5).
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


def port_of(url: SplitResult) -> int:
    """The port that the address names or implies.

    Raises: Unsendable.
    """
    try:
        return url.port or _DEFAULT_PORTS[url.scheme]
    except ValueError:
        raise Unsendable from None


def _host(url: SplitResult) -> str:
    name = url.hostname or ""
    shown = f"[{name}]" if ":" in name else name
    return shown if port_of(url) == _DEFAULT_PORTS[url.scheme] else f"{shown}:{port_of(url)}"


def read_answer(wire: Wire, method: str, max_bytes: int) -> HttpResponse:
    """The answer to the request that was sent on this wire.

    Raises: NotHttp, BodyTooLarge, DeadlinePassed, OSError.
    """
    try:
        answer = _final_head(wire, method)
        headers = _headers(answer)
        body = _body(wire, answer, max_bytes)
    # A ValueError comes from lengths of chunks.
    except (http.client.HTTPException, ValueError):
        raise NotHttp from None
    return HttpResponse(status=answer.status, headers=headers, body=body)


def _final_head(wire: Wire, method: str) -> http.client.HTTPResponse:
    """The head of the answer proper; what comes before it only says that the request is being worked on."""
    wire.incoming.allowed = _LARGEST_HEAD
    try:
        while True:
            answer = http.client.HTTPResponse(wire, method=method)  # type: ignore[arg-type]
            answer.begin()
            if not 100 <= answer.status < 200 or answer.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return answer
            # Or the end of this object would close what the next one reads.
            answer.fp = None  # type: ignore[assignment]
    except TooLong:
        raise NotHttp from None


def _headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    """The headers by lower-case name, the last of each.

    Raises: NotHttp.
    """
    message = answer.headers
    lengths = {value.strip() for value in message.get_all("content-length", [])}
    clear = not message.defects and len(lengths) <= 1 and all(length.isdecimal() for length in lengths)
    if not clear or not all(_VALUE.fullmatch(value.strip()) for value in message.values()):
        raise NotHttp
    return {name.lower(): value.strip() for name, value in message.items()}


def _body(wire: Wire, answer: http.client.HTTPResponse, max_bytes: int) -> bytes:
    if (answer.length or 0) > max_bytes:
        raise BodyTooLarge
    wire.incoming.allowed = max_bytes * _FRAMING + _LARGEST_HEAD
    try:
        body = answer.read(max_bytes + 1)
    except TooLong:
        raise BodyTooLarge from None
    if len(body) > max_bytes:
        raise BodyTooLarge
    if answer.length:
        raise NotHttp
    return body
