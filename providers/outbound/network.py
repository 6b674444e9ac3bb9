"""The network backend under the HTTP engine: resolves once, checks the addresses, and keeps one deadline.

Each socket operation gets no more time than what is left of the attempt, so neither slow headers nor a slow
body can outlast it. The attempt also remembers whether any byte of the request left.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpcore2

from providers.outbound.addresses import Address, is_loopback, is_public

_MAXIMUM_ADDRESSES = 4
# Resolving cannot be interrupted; each lookup has a thread that may outlive its request, so their number is
# bounded.
_lookups = threading.BoundedSemaphore(32)


class AddressRefused(Exception):
    """The name leads to an address that is not on the public internet."""


class Unresolvable(Exception):
    """The name has no address, or none in time."""


class DeadlinePassed(Exception):
    """The attempt's time is over."""


@dataclass
class Attempt:
    """One request's clock and how far it came."""

    deadline: float
    connect_timeout: float
    loopback_only: bool = False
    sent: bool = field(default=False, init=False)

    def remaining(self, limit: float | None = None) -> float:
        """Seconds left, at most `limit`.

        Raises: DeadlinePassed.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return left if limit is None else min(left, limit)


class CheckedBackend(httpcore2.NetworkBackend):
    """Connects to addresses it has checked itself; TLS still verifies the name."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        self._inner = httpcore2.SyncBackend()
        self._current: ContextVar[Attempt] = ContextVar("attempt")

    @contextmanager
    def attempt(self, attempt: Attempt) -> Iterator[None]:
        """Makes `attempt` the one that connections opened in this thread belong to."""
        token = self._current.set(attempt)
        try:
            yield
        finally:
            self._current.reset(token)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        attempt = self._current.get()
        addresses = _resolve(host, port, attempt)
        if not all(self._is_allowed(address, attempt) for address in addresses):
            raise AddressRefused
        return _GuardedStream(self._connect_first(addresses, port, attempt), attempt)

    def _is_allowed(self, address: Address, attempt: Attempt) -> bool:
        if self._allow_loopback and is_loopback(address):
            return True
        return not attempt.loopback_only and is_public(address)

    def _connect_first(self, addresses: tuple[Address, ...], port: int, attempt: Attempt) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError()
        for address in addresses:
            try:
                return self._inner.connect_tcp(str(address), port, timeout=attempt.remaining(attempt.connect_timeout))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _GuardedStream(httpcore2.NetworkStream):
    """A stream that belongs to one attempt."""

    def __init__(self, inner: httpcore2.NetworkStream, attempt: Attempt) -> None:
        self._inner = inner
        self._attempt = attempt

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout=self._attempt.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        remaining = self._attempt.remaining(timeout)
        self._attempt.sent = True
        self._inner.write(buffer, timeout=remaining)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        limit = self._attempt.remaining(self._attempt.connect_timeout)
        return _GuardedStream(self._inner.start_tls(ssl_context, server_hostname, timeout=limit), self._attempt)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _resolve(host: str, port: int, attempt: Attempt) -> tuple[Address, ...]:
    """The first few addresses of a name, looked up once.

    Raises: Unresolvable, also when there was not enough time.
    """
    if not _lookups.acquire(timeout=attempt.remaining(attempt.connect_timeout)):
        raise Unresolvable
    lookup = _Lookup(host, port)
    lookup.start()
    lookup.join(attempt.remaining(attempt.connect_timeout))
    if not lookup.addresses:
        raise Unresolvable
    return lookup.addresses


class _Lookup(threading.Thread):
    """One getaddrinfo; a daemon, so that a resolver that hangs never holds up the end of the process."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True, name="resolve")
        self._arguments = (host, port)
        self.addresses: tuple[Address, ...] = ()

    def run(self) -> None:
        try:
            found = socket.getaddrinfo(*self._arguments, type=socket.SOCK_STREAM)
            # A scope ("fe80::1%eth0") only occurs on addresses that are refused anyway.
            unique = dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found)
            self.addresses = tuple(unique)[:_MAXIMUM_ADDRESSES]
        except (OSError, UnicodeError):
            self.addresses = ()
        finally:
            _lookups.release()
