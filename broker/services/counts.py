"""Count reads in memory and write the sums every few seconds: no write on the token path, little lost on a crash."""

import atexit
import logging
import threading
from collections import Counter
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection

from broker.services import callers
from tenants.querysets import issue_counts, minted

logger = logging.getLogger(__name__)
Read = tuple[UUID, UUID, UUID]


class ReadCounter:
    """Sums of reads by (connection, tenant, caller) since the last flush. Thread-safe; one a process."""

    def __init__(self, flush_seconds: float) -> None:
        self._flush_seconds = flush_seconds
        self._lock = threading.Lock()
        self._reads: Counter[Read] = Counter()
        self._versions: dict[Read, int] = {}
        self._keys: set[str] = set()
        self._minted: set[UUID] = set()
        self._started = False

    def add(self, read: Read, *, version: int, key_id: str, minted_id: UUID | None = None) -> None:
        """Count one read; minted_id is the row of a token for a set of scopes. Effects: none but in memory."""
        with self._lock:
            self._reads[read] += 1
            self._versions[read] = version
            self._keys.add(key_id)
            if minted_id is not None:
                self._minted.add(minted_id)
            if not self._started:
                self._start()

    def flush(self) -> None:
        """Write what was counted. Effects: one upsert and an update or two; on failure it is kept for next time."""
        with self._lock:
            reads, versions, keys, used = self._reads, self._versions, self._keys, self._minted
            self._reads, self._versions, self._keys, self._minted = Counter(), {}, set(), set()
        if not reads:
            return
        try:
            issue_counts.add([(*read, count, versions[read]) for read, count in reads.items()])
            callers.note_use(keys)
            if used:
                minted.note_use(used)
        except DatabaseError:
            logger.warning("reads not written yet", extra={"count": reads.total()})
            self._put_back(reads, versions, keys, used)

    def _put_back(self, reads: Counter[Read], versions: dict[Read, int], keys: set[str], used: set[UUID]) -> None:
        with self._lock:
            self._reads.update(reads)
            self._versions = {**versions, **self._versions}
            self._keys |= keys
            self._minted |= used

    def _start(self) -> None:
        # Started by the first read, not at import: threads do not survive the fork of a web worker.
        self._started = True
        threading.Thread(target=self._run, name="read-counter", daemon=True).start()
        atexit.register(self.flush)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._flush_seconds):
            self.flush()
            connection.close()


reads = ReadCounter(settings.ISSUE_COUNT_FLUSH_SECONDS)
