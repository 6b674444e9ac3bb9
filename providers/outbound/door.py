"""Outbound: one deadline a request, checked addresses, nothing of it in logs.

The HTTP here is as small as what it is for, and knows nothing of what must not exist at this door: cookies shared
between tenants, redirects, proxies, kept connections, a log of URLs.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from typing import TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

import httpcore2

from providers.definition.rules import LOOPBACK_HOSTS
from providers.errors import ProviderError, ProviderUnavailable, ResponseMalformed
from providers.messages import HttpRequest, HttpResponse
from providers.outbound.addresses import AddressRange
from providers.outbound.http1 import BodyTooLarge, NotHttp, Unsendable, port_of, read_answer, request_bytes
from providers.outbound.network import AddressRefused, Attempt, DeadlinePassed, Network, Unresolvable, Wire

Result = TypeVar("Result")


@cache
def _trusting() -> ssl.SSLContext:
    """What this machine trusts: reading it takes longer than most requests."""
    return httpcore2.default_ssl_context()


class Outbound:
    """Sends one request and returns one answer, or says how far it came; shared by all threads of a process.

    Units:  seconds, wall clock: total_timeout covers name, connection, TLS, request, headers and body.
            max_bytes is the body's cap; encodings other than identity are never asked for nor decoded.
    Shape:  opened are address ranges that may be connected to although they are not public.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        total_timeout: float = 20.0,
        max_bytes: int = 262144,
        allow_loopback: bool = False,
        user_agent: str = "token-broker",
        ssl_context: ssl.SSLContext | None = None,
        opened: tuple[AddressRange, ...] = (),
    ) -> None:
        self._connect_timeout = connect_timeout
        self._total_timeout = total_timeout
        self._max_bytes = max_bytes
        self._allow_loopback = allow_loopback
        self._user_agent = user_agent
        context = ssl_context or _trusting()
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        context.set_alpn_protocols(["http/1.1"])
        self._network = Network(allow_loopback=allow_loopback, tls=context, opened=opened)

    def get(self, url: str, headers: Mapping[str, str], *, endpoint: str = "", provider_id: str = "") -> HttpResponse:
        """The answer to one GET; see `send`."""
        return self.send(
            HttpRequest(method="GET", url=url, endpoint=endpoint, headers=headers), provider_id=provider_id
        )

    def send(self, request: HttpRequest, *, provider_id: str = "") -> HttpResponse:
        """The answer as it came, redirects included.

        Raises: ProviderUnavailable, with `sent` False when no byte of the request left; ResponseMalformed
                when the answer is too large.
        Effects: one request; nothing is tried twice.
        """
        return self._guarded(request, provider_id, lambda url, attempt: self._exchange(request, url, attempt, None))

    def post_json(self, url: str, content: bytes, headers: Mapping[str, str], *, endpoint: str = "") -> HttpResponse:
        """The head of the answer to JSON that is sent byte by byte as it is, signed as it may be; see `send`."""
        request = HttpRequest(method="POST", url=url, endpoint=endpoint, encoding="json", headers=headers)
        return self._guarded(request, "", lambda split, attempt: self._exchange(request, split, attempt, content))

    def check(self, url: str, *, endpoint: str = "") -> None:
        """Look where a request to this address would go. Raises: ProviderUnavailable. Effects: a name is looked up."""
        request = HttpRequest(method="POST", url=url, endpoint=endpoint)
        self._guarded(
            request, "", lambda split, attempt: self._network.checked(split.hostname or "", port_of(split), attempt)
        )

    def _guarded(self, request: HttpRequest, provider_id: str, act: Callable[[SplitResult, Attempt], Result]) -> Result:
        url = urlsplit(_address(request))
        attempt = Attempt(
            deadline=time.monotonic() + self._total_timeout,
            connect_timeout=self._connect_timeout,
            loopback_only=self._checked_scheme(url, request, provider_id) == "http",
        )
        try:
            return act(url, attempt)
        except _FAILURES as failure:
            error = _translated(failure, attempt, request, provider_id)
        # Raised outside the handler: the causes may quote the peer's bytes, and must not be chained.
        raise error

    def _checked_scheme(self, url: SplitResult, request: HttpRequest, provider_id: str) -> str:
        loopback = self._allow_loopback and url.hostname in LOOPBACK_HOSTS
        if url.scheme == "https" or (url.scheme == "http" and loopback):
            return url.scheme
        raise ProviderUnavailable(
            provider_id=provider_id,
            endpoint=request.endpoint,
            sent=False,
            description="only https is allowed",
        )

    def _exchange(
        self, request: HttpRequest, url: SplitResult, attempt: Attempt, content: bytes | None
    ) -> HttpResponse:
        body, headers = self._encoded(request)
        data = request_bytes(request.method, url, headers, body if content is None else content)
        encrypted = url.scheme == "https"
        # No connection is kept: a request on one that the peer has just closed would have an unknown outcome,
        # and for a single-use refresh token an unknown outcome costs more than a handshake.
        with closing(
            self._network.connect(url.hostname or "", port_of(url), attempt, encrypted=encrypted)
        ) as connection:
            wire = Wire(connection, attempt)
            wire.send(data)
            # Whoever is sent an event says all by the status: the rest is left unread, as after a HEAD.
            return read_answer(wire, request.method if content is None else "HEAD", self._max_bytes)

    def _encoded(self, request: HttpRequest) -> tuple[bytes | None, dict[str, str]]:
        headers: dict[str, str] = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": self._user_agent,
            **request.headers,
        }
        if request.method in _WITHOUT_BODY:
            return None, headers
        if request.encoding == "query":
            return b"", headers
        headers["Content-Type"] = _CONTENT_TYPES[request.encoding]
        if request.encoding == "json":
            return json.dumps(dict(request.fields)).encode("ascii"), headers
        return urlencode(request.fields).encode("ascii"), headers


_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_CONTENT_TYPES = {"form": "application/x-www-form-urlencoded", "json": "application/json"}


def _address(request: HttpRequest) -> str:
    """The URL with what goes into its query; it exists only here, since it may hold secrets."""
    if request.encoding != "query" or not request.fields:
        return request.url
    return f"{request.url}{'&' if '?' in request.url else '?'}{urlencode(request.fields)}"


# Anything else is a mistake of ours and shall be seen as one.
_FAILURES = (BodyTooLarge, AddressRefused, Unresolvable, DeadlinePassed, NotHttp, Unsendable, OSError)

_DESCRIPTIONS: tuple[tuple[type[Exception], str], ...] = (
    (AddressRefused, "the address is not allowed"),
    (Unresolvable, "the name has no address"),
    (DeadlinePassed, "timed out"),
    (TimeoutError, "timed out"),
    (Unsendable, "the request is none that HTTP can carry"),
    (NotHttp, "the answer broke off or is not HTTP"),
)


def _translated(failure: Exception, attempt: Attempt, request: HttpRequest, provider_id: str) -> ProviderError:
    """Our error for what went wrong, described in a fixed vocabulary."""
    if isinstance(failure, BodyTooLarge):
        return ResponseMalformed(
            provider_id=provider_id, endpoint=request.endpoint, description="the response is too large"
        )
    return ProviderUnavailable(
        provider_id=provider_id,
        endpoint=request.endpoint,
        sent=attempt.sent,
        description=_description(failure, attempt),
    )


def _description(failure: Exception, attempt: Attempt) -> str:
    for kind, description in _DESCRIPTIONS:
        if isinstance(failure, kind):
            return description
    return "the connection broke" if attempt.sent else "no connection"
