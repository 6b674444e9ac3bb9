"""Count in memory how a registration's requests end: no statement for each of many that go well."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from uuid import UUID

# While so many were accepted lately, one refusal of our client may be meant for the one customer's token.
_MANY, _LATELY_SECONDS = 10, 60.0
_IN_A_ROW = 3
_STALE_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class Counts:
    """Sums since they were last taken. on_demand are those that no bucket was asked about."""

    sent: int = 0
    failed: int = 0
    granted: int = 0
    on_demand: int = 0
    since: float = field(default_factory=time.monotonic)

    def add(self, other: "Counts") -> None:
        self.sent += other.sent
        self.failed += other.failed
        self.granted += other.granted
        self.on_demand += other.on_demand


class Counter:
    """Thread-safe; one a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[UUID, Counts] = {}
        self._granted: dict[UUID, deque[float]] = {}
        self._refused: dict[UUID, int] = {}

    def add(self, registration_id: UUID, counts: Counts) -> None:
        """Effects: none but in memory."""
        with self._lock:
            found = self._counts.get(registration_id)
            if found is None or counts.since - found.since > _STALE_SECONDS:
                # A process that renews rarely must not bring yesterday's successes into today's trouble.
                found = self._counts[registration_id] = Counts()
            found.add(counts)
            if counts.granted:
                self._granted.setdefault(registration_id, deque(maxlen=_MANY)).append(time.monotonic())
                self._refused.pop(registration_id, None)

    def take(self) -> dict[UUID, Counts]:
        """Return all sums; they begin again at nothing."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def take_one(self, registration_id: UUID) -> Counts:
        """Return one registration's sums; they begin again at nothing."""
        with self._lock:
            return self._counts.pop(registration_id, Counts())

    def refused(self, registration_id: UUID) -> bool:
        """Note that our client was refused; True when that can no more be the matter of one customer's token."""
        with self._lock:
            granted = self._granted.get(registration_id, deque())
            self._refused[registration_id] = count = self._refused.get(registration_id, 0) + 1
            many = len(granted) == _MANY and time.monotonic() - granted[0] < _LATELY_SECONDS
        return not many or count >= _IN_A_ROW


counter = Counter()
