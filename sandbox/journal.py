"""The log of every request the sandbox saw: evidence for tests and people."""

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

KEPT_ENTRIES = 200_000


@dataclass(slots=True, eq=False)
class Entry:
    """One request: what it was, what was decided and why. Tokens appear as fingerprints only."""

    number: int
    at: float
    endpoint: str
    method: str
    client_id: str = ""
    grant: str = ""
    user: str = ""
    decision: str = ""
    reason: str = ""
    status: int = 0
    fault: str = ""
    presented: str = ""
    issued: dict[str, str] = field(default_factory=dict)
    most_in_flight: int = 0
    finished: bool = False
    seconds: float = 0.0

    def public(self) -> dict[str, Any]:
        """The entry as the control API shows it."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        shown["time"] = datetime.fromtimestamp(self.at, UTC).isoformat()
        return shown


class Journal:
    """Numbered entries; numbers only ever grow, clearing included."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._number = 0
        self._in_flight: dict[str, list[Entry]] = {}

    def open(self, endpoint: str, method: str) -> Entry:
        """A new entry for a request that has just arrived."""
        self._number += 1
        entry = Entry(self._number, time.time(), endpoint, method)
        self._entries.append(entry)
        return entry

    def enter_grant(self, entry: Entry, grant_id: str) -> None:
        """Note that a token request concerns this grant; every overlap is counted on all that overlap."""
        entry.grant = grant_id
        together = self._in_flight.setdefault(grant_id, [])
        together.append(entry)
        for one in together:
            one.most_in_flight = max(one.most_in_flight, len(together))

    def close(self, entry: Entry) -> None:
        """Note that the request has been answered (or dropped)."""
        entry.finished = True
        entry.seconds = round(time.time() - entry.at, 6)
        together = self._in_flight.get(entry.grant)
        if together and entry in together:
            together.remove(entry)
            if not together:
                del self._in_flight[entry.grant]

    def select(self, since: int = 0, **equal: str) -> list[Entry]:
        """Entries numbered above `since` whose named fields have the given values."""
        wanted = {name: value for name, value in equal.items() if value}
        newer = list(takewhile(lambda entry: entry.number > since, reversed(self._entries)))
        return [
            entry for entry in reversed(newer) if all(getattr(entry, name) == value for name, value in wanted.items())
        ]

    @property
    def last_number(self) -> int:
        """The number of the newest entry ever made."""
        return self._number

    def clear(self) -> None:
        """Drop the entries; requests still in flight go on being counted."""
        self._entries.clear()
