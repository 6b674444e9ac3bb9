"""Keys that nobody knows: so many may be tried, and no more.

Looking a key up costs a query. Whoever hammers with made-up keys would take it from those whose keys are good; so an
address may be wrong so many times a second, and all addresses together somewhat more often. A key that was good a
moment ago is looked up whatever others do.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from broker.errors import RateLimited

_A_SECOND, _AT_ONCE = 20.0, 40.0
_ALL_A_SECOND, _ALL_AT_ONCE = 100.0, 200.0
_KEPT_AT_MOST = 10_000
_EVERYWHERE = "everywhere"


class Strangers:
    """What this process knows of keys and addresses. Thread-safe. Shape: a key is told by the hash of its secret."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, secret_hash: bytes, source: str) -> None:
        """Let a key be looked up. Raises RateLimited when too many wrong ones came from there, or from everywhere."""
        if secret_hash in self._known:
            return
        with self._lock:
            here, everywhere = self._tries(source)
        if here < 1.0 or everywhere < 1.0:
            raise RateLimited("too many keys that are not known came from this address", retry_after=1.0)

    def good(self, secret_hash: bytes) -> None:
        """Remember that this key opened."""
        if secret_hash not in self._known:
            with self._lock:
                self._known[secret_hash] = None
                _shorten(self._known)

    def bad(self, secret_hash: bytes, source: str) -> None:
        """Count a key that did not open."""
        now = self._clock()
        with self._lock:
            self._known.pop(secret_hash, None)
            here, everywhere = self._tries(source)
            self._left[_EVERYWHERE] = (everywhere - 1.0, now)
            self._left[f"at {source}"] = (here - 1.0, now)
            # The one that was wrong longest ago has its whole budget again anyway.
            self._left.move_to_end(f"at {source}")
            self._left.move_to_end(_EVERYWHERE)
            _shorten(self._left)

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._known.clear()
            self._left.clear()

    def _tries(self, source: str) -> tuple[float, float]:
        here = self._refilled(f"at {source}", _A_SECOND, _AT_ONCE)
        return here, self._refilled(_EVERYWHERE, _ALL_A_SECOND, _ALL_AT_ONCE)

    def _refilled(self, name: str, a_second: float, at_once: float) -> float:
        left, at = self._left.get(name, (at_once, 0.0))
        return min(at_once, left + (self._clock() - at) * a_second)


def _shorten(kept: OrderedDict[str, tuple[float, float]] | OrderedDict[bytes, None]) -> None:
    while len(kept) > _KEPT_AT_MOST:
        kept.popitem(last=False)


strangers = Strangers()
