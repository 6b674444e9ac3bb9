"""Write down which requests were signed, by the names they have at the provider: off the path, and never lost.

Buffered in memory and written every other second in one statement: one audit event for what one key had signed for one
connection, since a job signs hundreds of requests in a row. A full buffer is written by the request that finds it
full, so that callers are slowed down before memory is; what cannot be written then is not signed either.
"""

import logging
import threading
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import DatabaseError

from broker.services.rounds import Rounds
from tenants.querysets import signatures

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 2.0
FULL = 5000
# Events stay small enough to be read.
MOST_IN_ONE = 100


class Request(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a signed request: no path, no query and no signature."""

    transaction_id: str
    method: str
    host: str
    at: datetime


class Signed(msgspec.Struct, frozen=True, gc=False):
    """One signed request, for whom, and who asked."""

    tenant: UUID
    connection: UUID
    caller: str
    request: Request
    key_id: str = ""
    source: str = ""
    on_behalf_of: str = ""


class _Event(msgspec.Struct, gc=False):
    tenant: UUID
    connection: UUID
    caller: str
    key_id: str
    source: str
    on_behalf_of: str
    at: datetime
    requests: list[Request]


class SignatureLog:
    """Signed requests since the last write. Thread-safe; one a process."""

    def __init__(self, *, full: int = FULL, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._full = full
        self._rounds = Rounds("signature-log", flush_seconds, self.flush)
        self._lock = threading.Lock()
        self._waiting: list[Signed] = []

    def add(self, signed: Signed) -> None:
        """Keep one entry. Raises DatabaseError when there is no room and none can be made."""
        with self._lock:
            full = len(self._waiting) >= self._full
            if not full:
                self._waiting.append(signed)
        if not self._rounds.begun:
            self._rounds.begin()
        if full:
            self._write()
            with self._lock:
                self._waiting.append(signed)

    def flush(self) -> None:
        """Write what waits. Effects: one insert; on failure all of it is kept for next time."""
        try:
            self._write()
        except DatabaseError:
            logger.warning("signed requests not written yet", extra={"count": len(self._waiting)})

    def _write(self) -> None:
        # No lock while writing: who waits for one keeps a connection that the writer may be waiting for.
        with self._lock:
            batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            signatures.add(msgspec.json.encode(_events(batch)).decode())
        except DatabaseError:
            with self._lock:
                self._waiting = batch + self._waiting
            raise


def _events(batch: list[Signed]) -> list[_Event]:
    """One event for each connection, caller, key, source and user, in the order of their first requests; more when
    one would be long."""
    events: list[_Event] = []
    open_events: dict[tuple[UUID, str, str, str, str], _Event] = {}
    for signed in batch:
        key = (signed.connection, signed.caller, signed.key_id, signed.source, signed.on_behalf_of)
        event = open_events.get(key)
        if event is None or len(event.requests) >= MOST_IN_ONE:
            event = _Event(signed.tenant, *key, signed.request.at, [])
            open_events[key] = event
            events.append(event)
        event.requests.append(signed.request)
    return events


log = SignatureLog()
