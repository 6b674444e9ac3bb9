"""Count who read what in memory and write the sums every few seconds: no write on the token path, none lost or doubled.

A sum is of one version, one key, one source and one user. It waits until a transaction that adds it has certainly
committed: when the answer to a COMMIT is lost, the database is asked what became of it before anything else is written.
A process that is killed loses what it has counted since the last flush; one that is told to end loses nothing.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from itertools import islice
from time import monotonic
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction

from broker import errors
from broker.services import callers
from broker.services.callers import By, PresentedKey
from broker.services.rounds import Rounds
from tenants.querysets import issue_counts, minted
from tenants.querysets.hand_out import HandOut

logger = logging.getLogger(__name__)
# So many sums are held at most: then they are written without waiting for the next flush.
FULL = 5000
# So many sums wait at most, about 400 bytes each, while the database takes no writes.
MOST = 50_000
# So few in a statement, and then three times as long a rest: requests wait for one statement, not for all of them.
_AT_ONCE, _REST = 200, 3.0
# Connection, version, who reads, and the token for a set of scopes.
_Key = tuple[int, int, By, int]
# Makes the fingerprint of what was read; asked once a sum.
Mark = Callable[[], bytes]


class Read(Protocol):
    """One read of a credential, as far as it is counted."""

    @property
    def connection_id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def version(self) -> int: ...
    @property
    def fingerprint(self) -> bytes: ...


class _Reads:
    """What is known of one sum."""

    __slots__ = ("caller", "connection", "fingerprint", "first", "last", "minted", "reads", "tenant", "used")

    def __init__(
        self, connection: UUID, tenant: UUID, caller: UUID, fingerprint: bytes, at: float, minted: UUID | None = None
    ) -> None:
        self.connection, self.tenant, self.caller, self.minted = connection, tenant, caller, minted
        self.fingerprint = fingerprint
        self.used = False
        self.reads = 0
        self.first = self.last = at

    def merge(self, other: "_Reads") -> None:
        self.reads += other.reads
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.used = self.used or other.used


_Batch = dict[_Key, _Reads]


class _Sum(msgspec.Struct, gc=False):
    """As `issue_counts.add` takes it."""

    connection: UUID
    tenant: UUID
    caller: UUID
    key: str
    source: str
    on_behalf_of: str
    version: int
    minted: UUID | None
    fingerprint: bytes | None
    reads: int
    first: float
    last: float


class _Doubt(NamedTuple):
    """A batch whose COMMIT was sent and not answered."""

    transaction_id: str
    batch: _Batch


class ReadCounter:
    """Sums of reads since the last flush. Thread-safe; one a process."""

    def __init__(self, flush_seconds: float, *, full: int = FULL, most: int = MOST) -> None:
        self._full, self._most = full, most
        self._rounds = Rounds("read-counter", flush_seconds, self.flush)
        self._reset()
        # A forked child must not write what its parent has counted.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._sums: _Batch = {}
        # What a flush has taken and not written yet: it comes back if it cannot be.
        self._taken: _Batch = {}
        self._doubt: _Doubt | None = None

    def add(self, presented: PresentedKey, row: HandOut, mark: Mark) -> None:
        """Count one read of the row's credential. Raises StorageFault, see `_new`. Effects: none but in memory."""
        assert row.connection_id is not None
        # The integer, since a UUID hashes itself in Python.
        key = (row.connection_id.int, row.version, presented.by, 0)
        self._count(key, row, mark)

    def add_minted(self, presented: PresentedKey, row: HandOut, mark: Mark, *, used: bool) -> None:
        """Count one read of a token for a set of scopes. `used`: it was there already, and is worth renewing."""
        found = row.minted
        assert row.connection_id is not None
        assert found is not None
        assert found.id is not None
        key = (row.connection_id.int, found.version, presented.by, found.id.int)
        self._count(key, row, mark, minted_id=found.id, used=used)

    def _count(self, key: _Key, row: HandOut, mark: Mark, minted_id: UUID | None = None, used: bool = False) -> None:
        at = monotonic()
        with self._lock:
            found = self._sums.get(key)
            if found is None:
                assert row.connection_id is not None
                made = _Reads(row.connection_id, row.tenant_id, row.caller_id, mark(), at, minted_id)
                found = self._new(key, made)
            found.reads += 1
            found.last = at
            found.used = found.used or used
        if not self._rounds.begun:
            self._rounds.begin()

    def add_many(self, presented: PresentedKey, caller_id: UUID, read: Iterable[Read]) -> None:
        """As `add` for each, with one lock for all."""
        at, by = monotonic(), presented.by
        with self._lock:
            for one in read:
                key = (one.connection_id.int, one.version, by, 0)
                found = self._sums.get(key)
                if found is None:
                    found = self._new(key, _Reads(one.connection_id, one.tenant_id, caller_id, one.fingerprint, at))
                found.reads += 1
                found.last = at
        if not self._rounds.begun:
            self._rounds.begin()

    def _new(self, key: _Key, made: _Reads) -> _Reads:
        """Raises StorageFault when no more sums can wait: what cannot be written down is not handed out."""
        if len(self._sums) >= self._full:
            self._rounds.hurry()
            if len(self._sums) + len(self._taken) >= self._most:
                raise errors.StorageFault()
        self._sums[key] = made
        return made

    def flush(self) -> None:
        """Write what was counted. Effects: some upserts and updates; on failure it is kept for next time."""
        # One at a time: the last flush of a process waits for the one that is under way.
        with self._writing:
            try:
                if not self._settled():
                    return
                self._take()
                self._write_taken()
            except DatabaseError as error:
                extra = {"count": len(self._sums), "error": type(error).__name__}
                logger.warning("reads not written yet", extra=extra)

    def _take(self) -> None:
        with self._lock:
            self._taken, self._sums = self._sums, {}

    def _write_taken(self) -> None:
        """Write what was taken, part by part. What is counted meanwhile is for the next time."""
        written: _Batch = {}
        try:
            while self._taken:
                began = monotonic()
                batch = {key: self._taken.pop(key) for key in list(islice(self._taken, _AT_ONCE))}
                self._write(batch)
                written |= batch
                if self._taken:
                    self._rounds.rest(_REST * (monotonic() - began))
        finally:
            left, self._taken = self._taken, {}
            self._put_back(left)
        _note_use(written)

    def _write(self, batch: _Batch) -> None:
        try:
            with transaction.atomic():
                written = issue_counts.add(_sums(batch))
                # From here on only the COMMIT is missing.
                self._doubt = _Doubt(written, batch)
            self._doubt = None
        except DatabaseError:
            if self._doubt is None:
                self._put_back(batch)
            raise

    def _settled(self) -> bool:
        """Tell whether nothing is in doubt any more. Raises DatabaseError when it cannot be asked."""
        if self._doubt is None:
            return True
        committed = issue_counts.committed(self._doubt.transaction_id)
        if committed is None:
            return False
        batch, self._doubt = self._doubt.batch, None
        if not committed:
            self._put_back(batch)
        return True

    def _put_back(self, batch: _Batch) -> None:
        with self._lock:
            for key, reads in batch.items():
                newer = self._sums.get(key)
                if newer is not None:
                    reads.merge(newer)
                self._sums[key] = reads


def _sums(batch: _Batch) -> str:
    now = monotonic()
    found = [
        _Sum(
            connection=reads.connection,
            tenant=reads.tenant,
            caller=reads.caller,
            key=by.key_id,
            source=by.source,
            on_behalf_of=by.on_behalf_of,
            version=version,
            minted=reads.minted,
            fingerprint=reads.fingerprint,
            reads=reads.reads,
            first=now - reads.first,
            last=now - reads.last,
        )
        for (_, version, by, _), reads in batch.items()
    ]
    return msgspec.json.encode(found).decode()


def _note_use(batch: _Batch) -> None:
    """What was used, was; that it is noted is worth one try."""
    callers.note_use({key[2].key_id for key in batch})
    used = {reads.minted for reads in batch.values() if reads.minted is not None and reads.used}
    if used:
        minted.note_use(used)


reads = ReadCounter(settings.ISSUE_COUNT_FLUSH_SECONDS)
