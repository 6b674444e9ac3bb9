"""Opened secrets for a short while: signing asks for the same ones for each request of a job."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tenants.expiring import Expiring

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    source: tuple[object, ...]
    value: Value


class Kept(Generic[Value]):
    """Values by key, each only for exactly what it was opened from: a row that has changed is opened anew.

    Shape:  nothing is kept for longer than the vault keeps the keys that open it.
    """

    def __init__(self, *, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._entries: Expiring[Hashable, _Entry[Value]] = Expiring(seconds=lambda: seconds, most=most, clock=clock)

    def get(self, key: Hashable, source: tuple[object, ...], opened: Callable[[], Value]) -> Value:
        """Return the value for this key and source, opened now if need be. Raises what `opened` raises."""
        found = self._entries.get(key)
        if found is not None and found.source == source:
            return found.value
        value = opened()
        self._entries.keep(key, _Entry(source, value))
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
