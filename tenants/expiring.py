"""What is kept in memory for a while: never more than so many, and what has expired leaves memory too."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Expiring(Generic[Key, Value]):
    """Values by key, each for the same number of seconds from the moment it is kept. Thread-safe.

    Shape:  most: when there are more, the oldest goes; seconds is asked each time, so that a setting may change.
    """

    def __init__(self, *, seconds: Callable[[], float], most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, tuple[float, Value]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return what is kept under this key; None when nothing is, or no longer."""
        # No lock: one look at a dict is whole by itself.
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock():
            return None
        return entry[1]

    def keep(self, key: Key, value: Value, since: float | None = None) -> None:
        """Keep it. Shape: since: the moment of `now` from which its time counts, this one if not given."""
        now = self._clock()
        until = (now if since is None else since) + self._seconds()
        with self._lock:
            self._entries[key] = (until, value)
            self._entries.move_to_end(key)
            # In the order of their expiry.
            while self._entries and self._first_leaves(now):
                self._entries.popitem(last=False)

    def _first_leaves(self, now: float) -> bool:
        return len(self._entries) > self._most or next(iter(self._entries.values()))[0] <= now

    def now(self) -> float:
        """Return this moment, for `keep`."""
        return self._clock()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._entries))

    def __repr__(self) -> str:
        return f"Expiring({len(self._entries)})"
