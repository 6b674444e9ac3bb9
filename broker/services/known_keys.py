"""Keys that were read a moment ago: who calls changes hardly ever, and reading that is a third of a token's query."""

import hmac
import time
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings

from broker.services.callers import PresentedKey
from tenants.expiring import Expiring
from tenants.querysets import hand_out
from tenants.querysets.hand_out import HandOut, Known

_KEPT_AT_MOST = 10_000


class _Found(NamedTuple):
    secret_hash: bytes
    known: Known


class KnownKeys:
    """The columns of good keys, each for KEY_TRUSTED_SECONDS after the query that found them. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: Expiring[str, _Found] = Expiring(
            seconds=lambda: settings.KEY_TRUSTED_SECONDS, most=_KEPT_AT_MOST, clock=clock
        )

    def find(self, presented: PresentedKey) -> Known | None:
        """Return what is known of exactly this key; None when it has to be looked up."""
        found = self._kept.get(presented.key_id)
        if found is None or not hmac.compare_digest(found.secret_hash, presented.secret_hash):
            return None
        return found.known

    def remember(self, presented: PresentedKey, row: HandOut, asked_at: float) -> None:
        """Keep what a query has found that was sent at that moment, see `now`, if this very key is good."""
        right = hmac.compare_digest(bytes(row.secret_hash), presented.secret_hash)
        if not settings.KEY_TRUSTED_SECONDS or not right or not row.key_usable or (row.throttled_seconds or 0.0) > 0:
            return
        self._kept.keep(presented.key_id, _Found(presented.secret_hash, hand_out.known(row)), since=asked_at)

    def now(self) -> float:
        """Return the moment from which what is found next may be trusted."""
        return self._kept.now()

    def forget(self) -> None:
        """Begin anew."""
        self._kept.clear()


known_keys = KnownKeys()
