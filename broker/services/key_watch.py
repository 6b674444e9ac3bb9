"""A key that reads far more connections than it may, or than is usual for it, is throttled for an hour.

Whoever has stolen a key wants all that it opens, soon; its owner reads much the same connections hour by hour.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Q

from broker.services import outbox
from tenants import audit
from tenants.models import ApiKey
from tenants.querysets import key_use
from tenants.querysets.key_use import KeyInUse

logger = logging.getLogger(__name__)
THROTTLED = timedelta(hours=1)
TIMES_USUAL = 10
# Nightly jobs read everything once: an hour like the busiest of the week is usual, and so is one that has grown.
TIMES_BUSIEST = 2
# Below this, nobody drains anything; a key that usually reads two connections may read twenty.
FLOOR = 50
HISTORY = timedelta(days=7)
SHORTEST_HISTORY = timedelta(hours=24)
_HOUR = timedelta(hours=1)
_MOST_REMEMBERED = 100_000
# What was read in an hour that has passed does not change: it is counted once a process.
_passed: dict[tuple[tuple[str, ...], datetime], int] = {}


def watch(now: datetime) -> list[str]:
    """Throttle what reads too much, and return the ids of those keys. Effects: for each, those of `_throttle`."""
    return [key.key_id for key in key_use.in_use(now) if _watched(key, now)]


def _watched(key: KeyInUse, now: datetime) -> bool:
    try:
        read = key_use.read_in_last_hour(key.key_id, now)
        # What is usual costs more to find out, and few keys come near to it.
        if not key.connections_per_hour and read < FLOOR:
            return False
        allowed = key.connections_per_hour or usual(key, now)
        return allowed is not None and read > allowed and _throttle(key, read, allowed, now)
    except DatabaseError:
        # The others are watched nevertheless.
        logger.exception("a key cannot be watched", extra={"key_id": key.key_id, "caller": key.caller_name})
        return False


def usual(key: KeyInUse, now: datetime) -> int | None:
    """Return how many connections the key may read in an hour; None when too little is known of it.

    A key of less than a day goes by what all keys of its caller have read: keys are replaced, services stay.
    """
    # The two hours that the last sixty minutes lie in are what is judged.
    before = now.replace(minute=0, second=0, microsecond=0) - _HOUR
    for keys in ((key.key_id,), tuple(key_use.keys_of(key.caller_id))):
        span = key_use.span(keys, before)
        if span is not None and span[0] <= now - SHORTEST_HISTORY:
            return _allowed([read for hour in _week_until(*span) if (read := _read(keys, hour))])
    return None


def _allowed(active_hours: list[int]) -> int:
    mean = sum(active_hours) / len(active_hours)
    # One less: ten times as many are too many.
    return max(FLOOR, round(TIMES_USUAL * mean) - 1, TIMES_BUSIEST * max(active_hours))


def _week_until(first: datetime, last: datetime) -> list[datetime]:
    """The hours of the last week in which the key was used: of one that rested since, that is what is known."""
    begin = max(first, last - HISTORY)
    return [begin + n * _HOUR for n in range((last - begin) // _HOUR + 1)]


def _read(keys: tuple[str, ...], hour: datetime) -> int:
    found = _passed.get((keys, hour))
    if found is None:
        if len(_passed) >= _MOST_REMEMBERED:
            _passed.clear()
        found = _passed[keys, hour] = key_use.read_in_hour(keys, hour)
    return found


def _throttle(key: KeyInUse, read: int, allowed: int, now: datetime) -> bool:
    """Effects: the key is refused for an hour; an audit event, an event for callers with all tenants, a log line."""
    until = now + THROTTLED
    told: dict[str, Any] = {"caller": key.caller_name, "key_id": key.key_id, "connections": read, "allowed": allowed}
    with transaction.atomic():
        rows = ApiKey.objects.filter(Q(throttled_until=None) | Q(throttled_until__lte=now), pk=key.id)
        if not rows.update(throttled_until=until):
            return False
        audit.record("caller.throttled", audit.SYSTEM, tenant_id=None, detail={**told, "until": until.isoformat()})
        outbox.write("caller.throttled", tenant_id=None, **told, until=until.isoformat())
    about = {"caller": key.caller_name, "key_id": key.key_id, "count": read}
    logger.warning("a key read unusually many connections and is throttled", extra=about)
    return True
