"""The way every request takes: log, delay, misfortune, answer, misfortune, delivery."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from sandbox import pages, spoiling
from sandbox.errors import OAuthError, PageError
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.faults import Fault
from sandbox.state import Sandbox

SLOW_PIECES = 10
Shape = Callable[[Exchange, Fault], Reply]
AioHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A handler and the name under which log, faults and latencies know it.

    Handlers are synchronous: nothing else happens between reading a token's row and changing it.
    Shape:  shapes maps kinds of faults that come instead of a reply (`status`, `error`, `rate_limited`, ...) to
            the form that this vendor gives them; without one it is the usual form.
    """

    name: str
    handler: Callable[[Sandbox, Exchange], Reply]
    methods: tuple[str, ...]
    identify: Callable[[Sandbox, Exchange], None] | None = None
    shapes: Mapping[str, Shape] = field(default_factory=dict)


def served(sandbox: Sandbox, endpoint: Endpoint) -> AioHandler:
    """The endpoint as an aiohttp handler."""

    async def handle(request: web.Request) -> web.StreamResponse:
        entry = sandbox.journal.open(endpoint.name, request.method)
        exchange = Exchange(request, b"", entry)
        try:
            exchange.body = await request.read()
            reply = await _answer(sandbox, endpoint, exchange)
            entry.status = 0 if reply.delivery == "drop" else reply.status
            return await _deliver(request, reply)
        finally:
            sandbox.journal.close(entry)

    return handle


async def _answer(sandbox: Sandbox, endpoint: Endpoint, exchange: Exchange) -> Reply:
    if endpoint.identify is not None:
        endpoint.identify(sandbox, exchange)
    if delay := sandbox.latency.get(endpoint.name, sandbox.latency.get("*", 0)):
        await asyncio.sleep(delay)
    fault = exchange.fault = sandbox.faults.take(endpoint.name, exchange.entry.client_id)
    if fault is None:
        return _processed(sandbox, endpoint, exchange)
    exchange.entry.fault = fault.kind
    if fault.kind == "stall" and not fault.after:
        await asyncio.sleep(fault.seconds)
    instead = spoiling.instead(fault, endpoint.name, _own_shape(endpoint, exchange, fault))
    reply = spoiling.before(fault, instead)
    if reply is not None:
        exchange.decide("fault", "not processed")
        return reply
    reply = spoiling.after(fault, instead, _processed(sandbox, endpoint, exchange))
    if fault.kind == "stall" and fault.after:
        await asyncio.sleep(fault.seconds)
    return reply


def _own_shape(endpoint: Endpoint, exchange: Exchange, fault: Fault) -> Reply | None:
    shape = endpoint.shapes.get(fault.kind)
    return None if shape is None else shape(exchange, fault)


def _processed(sandbox: Sandbox, endpoint: Endpoint, exchange: Exchange) -> Reply:
    """The handler's reply; its writes are committed before anybody hears of it."""
    if exchange.request.method not in endpoint.methods:
        exchange.decide("method_not_allowed")
        return Reply(405, b"", "text/plain", {"Allow": ", ".join(endpoint.methods)})
    with sandbox.store.transaction():
        try:
            return endpoint.handler(sandbox, exchange)
        except OAuthError as error:
            exchange.decide(error.decision, error.description)
            return _refusal(error)
        except PageError as error:
            exchange.decide("error_page", error.description)
            return pages.error(error.description, error.status)


def _refusal(error: OAuthError) -> Reply:
    """Source: RFC 6749 section 5.2."""
    challenge = {"WWW-Authenticate": 'Basic realm="sandbox"'} if error.status == 401 else {}
    return json_reply(error.status, {"error": error.error, "error_description": error.description}, challenge)


async def _deliver(request: web.Request, reply: Reply) -> web.StreamResponse:
    if reply.delivery == "whole":
        headers = {**reply.headers, "Content-Type": _content_type(reply)}
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    if reply.delivery == "drop":
        _cut(request)
        return web.Response()
    return await _in_pieces(request, reply)


async def _in_pieces(request: web.Request, reply: Reply) -> web.StreamResponse:
    """A body announced in full, sent slowly or only in half."""
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.headers["Content-Type"] = _content_type(reply)
    response.content_length = len(reply.body)
    await response.prepare(request)
    if reply.delivery == "cut":
        await response.write(reply.body[: len(reply.body) // 2])
        # Close, not abort: the half that was written still has to arrive.
        if request.transport is not None:
            request.transport.close()
        return response
    size = max(1, -(-len(reply.body) // SLOW_PIECES))
    for start in range(0, len(reply.body), size):
        await asyncio.sleep(reply.seconds / SLOW_PIECES)
        await response.write(reply.body[start : start + size])
    await response.write_eof()
    return response


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _content_type(reply: Reply) -> str:
    return f"{reply.content_type}; charset={reply.charset}"
