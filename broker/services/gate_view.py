"""What this process knows of the gates that are not simply closed: read again when it is a second old."""

import threading
import time
from uuid import UUID

from tenants.querysets import gates as rows
from tenants.querysets.gates import Gate

_SECONDS = 1.0


class View:
    """Thread-safe; one a process. As a rule it holds nothing, and costs one narrow query a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: dict[UUID, Gate] = {}
        self._read_at = 0.0

    def gates(self) -> tuple[dict[UUID, Gate], float]:
        """Return the gates by registration, and how many seconds ago that was so."""
        with self._lock:
            age = time.monotonic() - self._read_at
            if not self._read_at or age > _SECONDS:
                self._gates = {gate.registration_id: gate for gate in rows.noteworthy()}
                self._read_at, age = time.monotonic(), 0.0
            return self._gates, age

    def get(self, registration_id: UUID) -> Gate | None:
        """Return one gate; None when it is closed and nothing is to be told of it."""
        return self.gates()[0].get(registration_id)

    def forget(self) -> None:
        """Read again at the next look: this process has just changed something."""
        self._read_at = 0.0


view = View()
