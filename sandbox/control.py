"""The way of every control request: local callers only, JSON in, JSON out."""

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from sandbox.errors import ControlError
from sandbox.exchange import Reply, json_reply
from sandbox.state import Sandbox

Body = TypeVar("Body")
Handler = Callable[[Sandbox, web.Request, bytes], Any]


def controlled(sandbox: Sandbox, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A control handler as an aiohttp handler: JSON in, JSON out, local callers only."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            _check_local(request)
            reply = json_reply(200, handler(sandbox, request, await request.read()))
        except ControlError as error:
            reply = json_reply(error.status, {"error": error.description})
        return _response(reply)

    return handle


def _check_local(request: web.Request) -> None:
    """Only this machine, and no web page: a browser names its Origin whenever it changes something."""
    if "Origin" in request.headers or not _is_local(request.remote) or not _is_local(request.url.host):
        raise ControlError("the control API answers local programs only", status=403)


def _is_local(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def decoded(body: bytes, kind: type[Body]) -> Body:
    """The body as this type.

    Raises: ControlError.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ControlError(str(error)) from None


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises: ControlError.
    """
    return decoded(body, dict[str, Any])


def text_of(value: object) -> str:
    """The value, a non-empty string.

    Raises: ControlError.
    """
    if not isinstance(value, str) or not value:
        raise ControlError("client_id and client_secret are non-empty strings")
    return value


def number_of(text: str) -> int:
    """The number that the text spells.

    Raises: ControlError.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ControlError("since is a number")
    return int(text)


def _response(reply: Reply) -> web.Response:
    return web.Response(
        status=reply.status, body=reply.body, headers={**reply.headers, "Content-Type": "application/json"}
    )
