"""How many requests a caller may make in a minute, over all web processes, decided without asking anybody.

Each process counts by itself; once a second, off the request's path, it writes down its own count and reads what the
others have. So the limit holds over all of them but for what they let in within that second.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError

from broker.services.rounds import Rounds
from tenants.querysets import caller_minutes

logger = logging.getLogger(__name__)
_MINUTE = 60
_SHARE_SECONDS = 1.0


class Standing(NamedTuple):
    """What is left of a caller's minute. Units: seconds until the next one begins."""

    limit: int
    remaining: int
    seconds: int
    refused: bool = False


class Limiter:
    """Counts by caller in the current minute. Thread-safe; one a process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._process = UUID(int=0)
        self._lock = threading.Lock()
        self._minute = 0
        self._own: dict[UUID, int] = {}
        self._others: dict[UUID, int] = {}
        self._shared: dict[UUID, int] = {}
        self._rounds = Rounds("rate-limits", _SHARE_SECONDS, self._round, at_the_end=False)

    def take(self, caller_id: UUID, per_minute: int, cost: int = 1) -> Standing:
        """Count a request, or as many as it stands for; a refused one costs nothing.

        Shape:  per_minute 0 stands for the setting CALLER_RATE_PER_MINUTE.
        """
        limit = per_minute or settings.CALLER_RATE_PER_MINUTE
        now = self._clock()
        minute, left = int(now // _MINUTE), _MINUTE - int(now % _MINUTE)
        with self._lock:
            if minute != self._minute:
                self._begin(minute)
            own = self._own.get(caller_id, 0)
            remaining = limit - own - self._others.get(caller_id, 0)
            if remaining < cost:
                return Standing(limit, max(remaining, 0), left, refused=True)
            self._own[caller_id] = own + cost
        return Standing(limit, remaining - cost, left)

    def share(self) -> None:
        """Tell the other processes, and hear of them. Effects: one statement, none when nothing was counted."""
        with self._lock:
            minute, own = self._minute, dict(self._own)
        if own == self._shared or not own:
            return
        others = caller_minutes.exchange(self._process, minute * _MINUTE, own)
        with self._lock:
            if minute == self._minute:
                self._others, self._shared = others, own

    def _begin(self, minute: int) -> None:
        self._minute, self._own, self._others, self._shared = minute, {}, {}, {}
        if not self._rounds.begun:
            self._process = uuid4()
            self._rounds.begin()

    def _round(self) -> None:
        try:
            self.share()
        except DatabaseError:
            logger.warning("each web process counts by itself while the database is away")


class _Seen(threading.local):
    """Where the caller stands whose request this thread is at: every answer tells it, refusals as well."""

    standing: Standing | None = None


limiter = Limiter()
_seen = _Seen()


def note(standing: Standing | None) -> None:
    """Remember where this request's caller stands; None when a request begins."""
    _seen.standing = standing


def headers() -> tuple[tuple[str, str], ...]:
    """Return what tells the caller where it stands, nothing for one that is not known.

    Source: draft-ietf-httpapi-ratelimit-headers-10.
    """
    standing = _seen.standing
    if standing is None:
        return ()
    return (
        ("RateLimit-Policy", f'"caller";q={standing.limit};w={_MINUTE}'),
        ("RateLimit", f'"caller";r={standing.remaining};t={standing.seconds}'),
    )
