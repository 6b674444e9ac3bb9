"""Outbound: one pool, one deadline a request, checked addresses, nothing of it in logs.

The HTTP engine is httpcore2, the one under httpx2, because that is where a network backend can be given; the
client above it would add what must not exist here: cookies shared between tenants, redirects, proxies, a log
of URLs.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import httpcore2

from providers.definition.rules import LOOPBACK_HOSTS
from providers.errors import ProviderError, ProviderUnavailable, ResponseMalformed
from providers.messages import HttpRequest, HttpResponse
from providers.outbound.network import AddressRefused, Attempt, CheckedBackend, DeadlinePassed, Unresolvable

# At DEBUG the engine logs response headers, which may carry cookies and codes.
logging.getLogger("httpcore2").setLevel(logging.WARNING)


class Outbound:
    """Sends one request and returns one answer, or says how far it came; shared by all threads of a process.

    Units:  seconds, wall clock: total_timeout covers name, connection, TLS, request, headers and body.
            max_bytes is the body's cap; encodings other than identity are never asked for nor decoded.
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
    ) -> None:
        self._connect_timeout = connect_timeout
        self._total_timeout = total_timeout
        self._max_bytes = max_bytes
        self._allow_loopback = allow_loopback
        self._user_agent = user_agent
        context = ssl_context or httpcore2.default_ssl_context()
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        self._backend = CheckedBackend(allow_loopback=allow_loopback)
        # No connection is kept: a request on one that the peer has just closed would have an unknown outcome,
        # and for a single-use refresh token an unknown outcome costs more than a handshake.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=0,
            retries=0,
            network_backend=self._backend,
        )

    def post_form(
        self,
        url: str,
        fields: tuple[tuple[str, str], ...],
        headers: Mapping[str, str],
        *,
        endpoint: str = "",
        provider_id: str = "",
    ) -> HttpResponse:
        """The answer to one form POST; see `send`."""
        request = HttpRequest(method="POST", url=url, endpoint=endpoint, fields=fields, headers=headers)
        return self.send(request, provider_id=provider_id)

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
        attempt = Attempt(
            deadline=time.monotonic() + self._total_timeout,
            connect_timeout=self._connect_timeout,
            loopback_only=self._checked_scheme(request, provider_id) == "http",
        )
        try:
            with self._backend.attempt(attempt):
                return self._exchange(request)
        except _FAILURES as failure:
            error = _translated(failure, attempt, request, provider_id)
        # Raised outside the handler: the engine's exceptions may quote the peer's bytes, and must not be
        # chained.
        raise error

    def close(self) -> None:
        """Closes what is open; the next request opens anew."""
        self._pool.close()

    def _checked_scheme(self, request: HttpRequest, provider_id: str) -> str:
        parts = urlsplit(request.url)
        loopback = self._allow_loopback and parts.hostname in LOOPBACK_HOSTS
        if parts.scheme == "https" or (parts.scheme == "http" and loopback):
            return parts.scheme
        raise ProviderUnavailable(
            provider_id=provider_id,
            endpoint=request.endpoint,
            sent=False,
            description="only https is allowed",
        )

    def _exchange(self, request: HttpRequest) -> HttpResponse:
        content, headers = self._encoded(request)
        # One byte a character, as servers read them (RFC 9110 section 5.5); the engine alone takes ASCII text only.
        sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        with self._pool.stream(request.method, _address(request), headers=sent, content=content) as answer:
            body = bytearray()
            for chunk in answer.iter_stream():
                body += chunk
                if len(body) > self._max_bytes:
                    raise _TooLarge
            names = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in answer.headers}
            return HttpResponse(status=answer.status, headers=names, body=bytes(body))

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


class _TooLarge(Exception):
    """The body is over the cap."""


# Anything else is a mistake of ours and shall be seen as one.
_FAILURES = (
    _TooLarge,
    AddressRefused,
    Unresolvable,
    DeadlinePassed,
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.RemoteProtocolError,
    # A mistake of ours, but its words quote the header that cannot be sent.
    httpcore2.LocalProtocolError,
)

_DESCRIPTIONS: tuple[tuple[type[Exception], str], ...] = (
    (AddressRefused, "the address is not allowed"),
    (Unresolvable, "the name has no address"),
    (DeadlinePassed, "timed out"),
    (httpcore2.TimeoutException, "timed out"),
    (httpcore2.LocalProtocolError, "the request is none that HTTP can carry"),
    (httpcore2.RemoteProtocolError, "the answer broke off or is not HTTP"),
)


def _translated(failure: Exception, attempt: Attempt, request: HttpRequest, provider_id: str) -> ProviderError:
    """Our error for one of the engine's, described in a fixed vocabulary."""
    if isinstance(failure, _TooLarge):
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
