"""Connections to checked addresses, under one deadline.

Each socket operation gets no more time than what is left of the attempt, so neither slow headers nor a slow
body can outlast it. The attempt also remembers whether any byte of the request left.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import time
from dataclasses import dataclass, field

from providers.outbound.addresses import Address, AddressRange, is_inside, is_loopback, is_public
from providers.outbound.lookups import Lookups


class AddressRefused(Exception):
    """The name leads to an address that is not on the public internet."""


class Unresolvable(Exception):
    """The name has no address, or none in time."""


class DeadlinePassed(Exception):
    """The attempt's time is over."""


class TooLong(Exception):
    """More bytes came than the reader was told to take."""


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


class Network:
    """Connects to addresses it has checked itself; TLS still verifies the name.

    Shape:  opened are ranges that may be connected to although they are not public.
    """

    def __init__(self, *, allow_loopback: bool, tls: ssl.SSLContext, opened: tuple[AddressRange, ...] = ()) -> None:
        self._allow_loopback = allow_loopback
        self._opened = opened
        self._tls = tls
        self._lookups = Lookups()

    def connect(self, host: str, port: int, attempt: Attempt, *, encrypted: bool) -> socket.socket:
        """A connection of this attempt alone; the caller closes it.

        Raises: AddressRefused, Unresolvable, DeadlinePassed, OSError.
        """
        addresses = self.checked(host, port, attempt)
        try:
            connection = _connect_first(addresses, port, attempt)
            return self._encrypted(connection, host, attempt) if encrypted else connection
        except OSError:
            self._lookups.forget(host, port)
            raise

    def checked(self, host: str, port: int, attempt: Attempt) -> tuple[Address, ...]:
        """The name's addresses, when every one of them may be connected to.

        Raises: AddressRefused, Unresolvable, DeadlinePassed.
        """
        # No host would mean this machine to the resolver.
        found = self._lookups.addresses(host, port, seconds=attempt.remaining(attempt.connect_timeout)) if host else ()
        if not found:
            raise Unresolvable
        if not all(self._is_allowed(address, attempt) for address in found):
            raise AddressRefused
        return found

    def _is_allowed(self, address: Address, attempt: Attempt) -> bool:
        if self._allow_loopback and is_loopback(address):
            return True
        return not attempt.loopback_only and (is_public(address) or is_inside(address, self._opened))

    def _encrypted(self, connection: socket.socket, host: str, attempt: Attempt) -> socket.socket:
        try:
            # The handshake as a whole has the socket's timeout, not each of its steps.
            connection.settimeout(attempt.remaining(attempt.connect_timeout))
            return self._tls.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise


def _connect_first(addresses: tuple[Address, ...], port: int, attempt: Attempt) -> socket.socket:
    failure = OSError()
    for address in addresses:
        connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
        try:
            connection.settimeout(attempt.remaining(attempt.connect_timeout))
            connection.connect((str(address), port))
            # After a handshake the request would wait for the acknowledgement of the handshake's last part.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as error:
            failure = error
            connection.close()
        except BaseException:
            connection.close()
            raise
    raise failure


class Wire:
    """One connection as bytes out and bytes in, under the attempt's clock."""

    def __init__(self, connection: socket.socket, attempt: Attempt) -> None:
        self._connection = connection
        self._attempt = attempt
        self.incoming = Incoming(connection, attempt)
        self._reader = io.BufferedReader(self.incoming, 16384)

    def send(self, data: bytes) -> None:
        """Write all of it; a peer that stops reading early may still have answered, so that is no failure yet.

        Raises: DeadlinePassed, TimeoutError.
        """
        self._connection.settimeout(self._attempt.remaining())
        self._attempt.sent = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            # Its timeout is for all of the data.
            self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader[Incoming]:
        """What has come, as the parser of the standard library asks a socket for it."""
        return self._reader


class Incoming(io.RawIOBase):
    """What comes in: never longer than the attempt, never more than `allowed` bytes."""

    def __init__(self, connection: socket.socket, attempt: Attempt) -> None:
        self._connection = connection
        self._attempt = attempt
        self.allowed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The number of bytes read, 0 at the end.

        Raises: TooLong, DeadlinePassed, TimeoutError, OSError.
        """
        if self.allowed <= 0:
            raise TooLong
        self._connection.settimeout(self._attempt.remaining())
        count = self._connection.recv_into(buffer)
        self.allowed -= count
        return count
