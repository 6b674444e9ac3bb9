"""Close the days of the audit log: each gets a keyed digest over its rows and over the day before.

Whoever changes, adds, moves or deletes rows afterwards, or days, needs the key to make it look right again. The key is
derived from a data key of the platform: it outlives a change of the key-encryption keys. A day is closed once nobody
can write into it any more, by one process; days without rows are closed too, so that one that is missing is seen.
"""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from broker.services import credentials
from tenants.models import AuditDay, DataKey
from tenants.querysets import audit

logger = logging.getLogger(__name__)
# Events may be written as of a minute ago, see `tenants.querysets.signatures`.
_LATE = timedelta(minutes=2)
# No transaction of ours lives for longer; those that do are asked for besides.
MARGIN = timedelta(minutes=10)
GENESIS = bytes(32)
_PURPOSE = b"audit chain"
_ONE_DAY = timedelta(days=1)


class Portion(NamedTuple):
    """How many rows, and a digest over them."""

    rows: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a day holds."""

    day: date
    events: Portion
    reads: Portion


def portion(pieces: Iterable[list[str]]) -> Portion:
    """Return the sum of lines that come in pieces. No line holds a line break."""
    rows, digest = 0, hashlib.sha256()
    for lines in pieces:
        rows += len(lines)
        digest.update("".join(f"{line}\n" for line in lines).encode())
    return Portion(rows, digest.digest())


def contents_of(day: date) -> Contents:
    """Read a whole day, in bounded memory. Needs a transaction."""
    return Contents(day=day, events=portion(audit.events_of(day)), reads=portion(audit.reads_of(day)))


def close_days(now: datetime, *, seconds: float) -> int:
    """Close the days that are over, the oldest first, until none is left or the time is. Returns how many.

    Effects: a row a day, each in a transaction of its own.
    """
    until, closed = time.monotonic() + seconds, 0
    while time.monotonic() < until and _close_next(now):
        closed += 1
    return closed


@transaction.atomic
def _close_next(now: datetime) -> bool:
    if not audit.take_chain():
        return False
    last = AuditDay.objects.order_by("-day").first()
    day = last.day + _ONE_DAY if last else audit.first_day()
    if day is None or not _is_over(day, now):
        return False
    key = credentials.active_data_key(None)
    found, previous = contents_of(day), bytes(last.digest) if last else GENESIS
    made = AuditDay.objects.create(
        day=day,
        events=found.events.rows,
        reads=found.reads.rows,
        previous=previous,
        events_digest=found.events.digest,
        reads_digest=found.reads.digest,
        digest=digest(key_of(key), found, previous),
        key_version=key.pk.hex,
    )
    # Where logs are kept elsewhere, so is the head of the chain.
    logger.info("audit day closed", extra={"day": day.isoformat(), "digest": bytes(made.digest).hex(" ", 4)})
    return True


def _is_over(day: date, now: datetime) -> bool:
    end = audit.start_of(day + _ONE_DAY)
    return now >= end + MARGIN and not audit.writers_from_before(end + _LATE)


def overdue(day: date, now: datetime) -> bool:
    """Tell whether a day should have been closed: an hour after it could have been, if somebody does so at all."""
    return now >= audit.start_of(day + _ONE_DAY) + MARGIN + timedelta(hours=1)


def digest(key: bytes, contents: Contents, previous: bytes) -> bytes:
    """Return the day's own digest."""
    parts = (
        previous.hex(),
        contents.day.isoformat(),
        contents.events.rows,
        contents.events.digest.hex(),
        contents.reads.rows,
        contents.reads.digest.hex(),
    )
    return hmac.digest(key, json.dumps(parts).encode(), "sha256")


def key_of(key: DataKey, purpose: bytes = _PURPOSE) -> bytes:
    """Return the key that vouches. Raises KeyUnavailable, SealBroken."""
    return credentials.vault().derived(key.as_wrapped(), purpose)


def platform_key(version: str) -> DataKey | None:
    """Return the platform's data key of this id; None when there is none."""
    try:
        key_id = UUID(version)
    except ValueError:
        return None
    return DataKey.objects.filter(pk=key_id, tenant=None).first()
