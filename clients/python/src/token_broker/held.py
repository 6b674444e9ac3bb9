"""What was fetched and is still good, in memory only."""

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Generic

from token_broker.values import G, Place

MARGIN_SECONDS = 30.0
MAX_AGE_SECONDS = 300.0
MOST = 10_000
# The broker does not answer, or hands out what is about to end: it is asked again after this, not at every call.
AGAIN_SECONDS = 2.0
_FOREVER = float("inf")


class Held(Generic[G]):
    """One token or set of headers. Units: instants of time.monotonic, which no clock change moves."""

    __slots__ = ("fresh_until", "given", "good_until")

    def __init__(self, given: G, fresh_until: float, good_until: float) -> None:
        self.given: G = given
        self.fresh_until = fresh_until
        self.good_until = good_until

    def serves(self, min_ttl: int | None, until: float) -> bool:
        now = time.monotonic()
        return until > now and (min_ttl is None or self.good_until - now >= min_ttl)

    def is_fresh(self, min_ttl: int | None) -> bool:
        """Whether it is handed out without a question to the broker."""
        return self.serves(min_ttl, self.fresh_until)

    def is_good(self, min_ttl: int | None) -> bool:
        """Whether it still works, which is enough while the broker is away."""
        return self.serves(min_ttl, self.good_until - 1.0)


class Store(Generic[G]):
    """Reading takes no lock: a dictionary's `get` is one step to every thread."""

    def __init__(self, margin: float = MARGIN_SECONDS, max_age: float = MAX_AGE_SECONDS, most: int = MOST) -> None:
        self._margin, self._max_age, self._most = margin, max_age, most
        self._held: dict[Place, Held[G]] = {}
        self._lock = Lock()
        self.get: Callable[[tuple[object, ...]], Held[G] | None] = self._held.get  # type: ignore[assignment]

    def keep(self, place: Place, given: G, ends: datetime | None, now: datetime) -> None:
        """Hold it until shortly before its end. Shape: now is the broker's clock, as ends is: ours may be wrong."""
        left = _FOREVER if ends is None else (ends - now).total_seconds()
        fresh = min(left - min(self._margin, left / 4), self._max_age)
        started = time.monotonic()
        with self._lock:
            held = self._held.get(place)
            if held is not None and held.given.version > given.version:
                return
            self._held.pop(place, None)
            self._held[place] = Held(given, started + max(fresh, min(AGAIN_SECONDS, left - 1)), started + left)
            while len(self._held) > self._most:
                del self._held[next(iter(self._held))]

    def hold_on(self, held: Held[G]) -> None:
        """The broker is away: do not ask it for a moment."""
        held.fresh_until = min(time.monotonic() + AGAIN_SECONDS, held.good_until - 1.0)

    def drop(self, place: Place, version: int | None = None) -> None:
        """Forget it, unless it is newer than this version."""
        with self._lock:
            held = self._held.get(place)
            if held is not None and (version is None or held.given.version <= version):
                del self._held[place]

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
