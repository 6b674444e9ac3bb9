"""Opened secrets for a short while: signing asks for the same ones for each request of a job."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    until: float
    source: tuple[object, ...]
    value: Value


class Kept(Generic[Value]):
    """Values by key, each only for exactly what it was opened from: a row that has changed is opened anew.

    Shape:  nothing is kept for longer than the vault keeps the keys that open it.
    """

    def __init__(self, *, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()

    def get(self, key: Hashable, source: tuple[object, ...], opened: Callable[[], Value]) -> Value:
        """Return the value for this key and source, opened now if need be. Raises what `opened` raises."""
        found = self._entries.get(key)
        if found is not None and found.until > time.monotonic() and found.source == source:
            return found.value
        value = opened()
        self._remember(key, _Entry(time.monotonic() + self._seconds, source, value))
        return value

    def _remember(self, key: Hashable, entry: _Entry[Value]) -> None:
        now = time.monotonic()
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            # In the order of their expiry, so that what has expired leaves memory too.
            while len(self._entries) > self._most or next(iter(self._entries.values())).until <= now:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
