"""Which addresses a name has: looked up in a thread, since a lookup cannot be interrupted, and known for a moment."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time

from providers.outbound.addresses import Address

# Long enough that many renewals in a row share one lookup; short enough that a provider which moves is followed.
KNOWN_SECONDS = 5.0
# A lookup that still hangs then is given up, and another may start.
HANGING_SECONDS = 30.0
_MAXIMUM_ADDRESSES = 4
# A thread that hangs outlives its request, so their number is bounded.
_threads = threading.BoundedSemaphore(32)


class Lookups:
    """Finds addresses, one lookup at a time for a name, shared by all who ask meanwhile and shortly after.

    What comes back is not checked: whoever connects checks each address each time.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Lookup] = {}
        self._lock = threading.Lock()

    def addresses(self, host: str, port: int, *, seconds: float) -> tuple[Address, ...]:
        """The first few addresses, empty when there are none or none in time."""
        try:
            return (ipaddress.ip_address(host),)
        except ValueError:
            lookup = self._lookup(host, port)
        return lookup.wait(seconds) if lookup else ()

    def forget(self, host: str, port: int) -> None:
        """Look the name up anew next time: nothing answered there."""
        with self._lock:
            self._known.pop((host, port), None)

    def _lookup(self, host: str, port: int) -> _Lookup | None:
        with self._lock:
            known = self._known.get((host, port))
            if known is not None and known.is_fresh():
                return known
            if not _threads.acquire(blocking=False):
                return None
            started = self._known[host, port] = _Lookup(host, port)
        started.start()
        return started


class _Lookup(threading.Thread):
    """One getaddrinfo; a daemon, so that a resolver that hangs never holds up the end of the process."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True, name="resolve")
        self._arguments = (host, port)
        self._found: tuple[Address, ...] = ()
        self._done = threading.Event()
        self._since = time.monotonic()

    def is_fresh(self) -> bool:
        """Whether it is worth waiting for, or its result is young enough; finding nothing is never kept."""
        age = time.monotonic() - self._since
        if not self._done.is_set():
            return age < HANGING_SECONDS
        return age < KNOWN_SECONDS and bool(self._found)

    def wait(self, seconds: float) -> tuple[Address, ...]:
        """What was found, empty when it is not known by then."""
        return self._found if self._done.wait(seconds) else ()

    def run(self) -> None:
        try:
            found = socket.getaddrinfo(*self._arguments, type=socket.SOCK_STREAM)
            # A scope ("fe80::1%eth0") only occurs on addresses that are refused anyway.
            unique = dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found)
            self._found = tuple(unique)[:_MAXIMUM_ADDRESSES]
        except (OSError, UnicodeError, ValueError):
            self._found = ()
        finally:
            self._done.set()
            _threads.release()
