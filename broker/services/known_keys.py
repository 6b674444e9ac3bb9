"""Keys that were read a moment ago: who calls changes hardly ever, and reading that is a third of a token's query."""

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings

from broker.services.callers import PresentedKey
from tenants.querysets import hand_out
from tenants.querysets.hand_out import HandOut, Known

_KEPT_AT_MOST = 10_000


class KnownKeys:
    """The columns of good keys, each for KEY_TRUSTED_SECONDS after the query that found them. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, bytes, Known]] = OrderedDict()

    def find(self, presented: PresentedKey) -> Known | None:
        """Return what is known of exactly this key; None when it has to be looked up."""
        entry = self._known.get(presented.key_id)
        if entry is None or entry[0] <= self._clock():
            return None
        return entry[2] if hmac.compare_digest(entry[1], presented.secret_hash) else None

    def remember(self, presented: PresentedKey, row: HandOut, asked_at: float) -> None:
        """Keep what a query has found that was sent at that moment, see `now`, if this very key is good."""
        seconds = settings.KEY_TRUSTED_SECONDS
        right = hmac.compare_digest(bytes(row.secret_hash), presented.secret_hash)
        if not seconds or not right or not row.key_usable or (row.throttled_seconds or 0.0) > 0:
            return
        with self._lock:
            self._known[presented.key_id] = (asked_at + seconds, presented.secret_hash, hand_out.known(row))
            self._known.move_to_end(presented.key_id)
            # In the order of their expiry, so that what has expired leaves memory too.
            while len(self._known) > _KEPT_AT_MOST or next(iter(self._known.values()))[0] <= asked_at:
                self._known.popitem(last=False)

    def now(self) -> float:
        """Return the moment from which what is found next may be trusted."""
        return self._clock()

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._known.clear()


known_keys = KnownKeys()
