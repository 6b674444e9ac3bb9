"""Keep the headers at home when httpx follows a redirect.

httpx takes Authorization off a request that is led to another origin, and nothing else; vendors have headers of their
own names. It builds the new request itself, without asking whoever wrote the headers. What it does ask, for every
request on every connection, is the `trace` of the request's extensions, just before the headers are sent.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from token_broker.conversation import Send
from token_broker.origins import Origin, origin_of, target_of

logger = logging.getLogger("token_broker")
_BEFORE = ".send_request_headers.started"


class Guard:
    """For httpx.Client. inner is the trace that was there before."""

    def __init__(self, sending: Send, inner: Callable[[str, Mapping[str, Any]], Any] | None) -> None:
        self.inner = inner
        self.names = frozenset(name.lower() for name in sending.given.headers)
        self._sending = sending

    def __call__(self, event: str, info: Mapping[str, Any]) -> Any:
        self.look(event, info)
        return self.inner(event, info) if self.inner is not None else None

    def look(self, event: str, info: Mapping[str, Any]) -> None:
        """Take the headers off a request that goes where they may not be seen."""
        if not event.endswith(_BEFORE):
            return
        request = info["request"]
        kept = [(name, value) for name, value in request.headers if name.decode("latin-1").lower() not in self.names]
        if len(kept) == len(request.headers):
            return
        origin, target = _destination(request)
        if not self._sending.may_see(origin, target):
            logger.warning("a redirect leads to %s: the provider's headers were left out", origin)
            request.headers = kept


class AsyncGuard(Guard):
    """For httpx.AsyncClient, which wants a coroutine."""

    def __call__(self, event: str, info: Mapping[str, Any]) -> Awaitable[None]:
        return self._later(event, info)

    async def _later(self, event: str, info: Mapping[str, Any]) -> None:
        self.look(event, info)
        if self.inner is not None:
            await self.inner(event, info)


def attach(request: httpx.Request, sending: Send, kind: type[Guard]) -> None:
    """Give the request its headers, in place of those of an attempt before, and the guard."""
    before = request.extensions.get("trace")
    if isinstance(before, Guard):
        for name in before.names:
            request.headers.pop(name, None)
        before = before.inner
    request.headers.update(sending.given.headers)
    request.extensions = {**request.extensions, "trace": kind(sending, before)}


def _destination(request: Any) -> tuple[Origin, str]:
    target = request.url.target.decode("latin-1")
    if urlsplit(target).scheme in ("http", "https"):
        # A request that a proxy forwards: its URL is the proxy's, its target is where it goes.
        return origin_of(target), target_of(target)
    url = request.url
    host = url.host.decode("latin-1")
    host = f"[{host}]" if ":" in host else host
    port = f":{url.port}" if url.port else ""
    return origin_of(f"{url.scheme.decode()}://{host}{port}"), target
