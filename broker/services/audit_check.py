"""Check the closed days of the audit log against what they were closed with."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction

from broker.services import audit_chain
from broker.services.audit_chain import Contents, Portion
from tenants.errors import TenantsError
from tenants.models import AuditDay
from tenants.querysets import audit

_ONE_DAY = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Checked:
    """What was found. Shape: problems are sentences, the oldest day's first; head is the newest day's digest."""

    days: int = 0
    events: int = 0
    reads: int = 0
    head_day: date | None = None
    head: str = ""
    reads_deleted_before: date | None = None
    problems: list[str] = field(default_factory=list)


def check(now: datetime, *, start: date | None = None, end: date | None = None, expected: str = "") -> Checked:
    """Follow the whole chain, and read the rows of the days from `start` to `end` again.

    expected is a digest that somebody kept, with or without spaces: one of the days must have it, or the chain is
    another one.
    """
    checked = Checked(reads_deleted_before=audit.reads_purged_before())
    before: AuditDay | None = None
    wanted, known = "".join(expected.split()).lower(), False
    for day in AuditDay.objects.order_by("day"):
        checked.problems += [f"{day.day}: {problem}" for problem in _link(before, day)]
        if (start is None or day.day >= start) and (end is None or day.day <= end):
            checked.problems += [f"{day.day}: {problem}" for problem in _read_again(checked, day)]
        known = known or bytes(day.digest).hex() == wanted
        before = day
    if before is not None:
        checked.head_day, checked.head = before.day, bytes(before.digest).hex()
    if wanted and not known:
        checked.problems.append("no day has the digest that was expected: days were deleted, or closed anew")
    checked.problems += _tail(before, now)
    return checked


def _link(before: AuditDay | None, day: AuditDay) -> Iterator[str]:
    """Whether a day follows the one before it, and is what it was closed as."""
    if before is None:
        if bytes(day.previous) != audit_chain.GENESIS:
            yield "the days before it were deleted"
        if audit.events_before(day.day):
            yield "there are events from before the first day"
    elif day.day != before.day + _ONE_DAY:
        yield f"the days after {before.day} were deleted"
    elif bytes(day.previous) != bytes(before.digest):
        yield "it does not follow from the day before: one of the two was closed anew"
    yield from _own_digest(day)


def _own_digest(day: AuditDay) -> Iterator[str]:
    key = audit_chain.platform_key(day.key_version)
    if key is None:
        yield "the data key that it was closed with is gone"
        return
    try:
        own = audit_chain.digest(audit_chain.key_of(key), _recorded(day), bytes(day.previous))
    except TenantsError as error:
        yield f"the data key that it was closed with cannot be opened: {error}"
        return
    if not hmac.compare_digest(own, bytes(day.digest)):
        yield "its record was changed"


def _recorded(day: AuditDay) -> Contents:
    return Contents(
        day=day.day,
        events=Portion(day.events, bytes(day.events_digest)),
        reads=Portion(day.reads, bytes(day.reads_digest)),
    )


@transaction.atomic
def _read_again(checked: Checked, day: AuditDay) -> Iterator[str]:
    recorded, events = _recorded(day), audit_chain.portion(audit.events_of(day.day))
    checked.days += 1
    checked.events += events.rows
    found = list(_compared("events", recorded.events, events))
    if checked.reads_deleted_before is None or day.day >= checked.reads_deleted_before:
        reads = audit_chain.portion(audit.reads_of(day.day))
        checked.reads += reads.rows
        found += _compared("counts of reads", recorded.reads, reads)
    return iter(found)


def _compared(what: str, recorded: Portion, found: Portion) -> Iterator[str]:
    if found.rows < recorded.rows:
        yield f"{recorded.rows - found.rows} of {recorded.rows} {what} are gone"
    elif found.rows > recorded.rows:
        yield f"{found.rows - recorded.rows} {what} were added to {recorded.rows}"
    elif found.digest != recorded.digest:
        yield f"{what} were changed; their number, {recorded.rows}, is right"


def _tail(before: AuditDay | None, now: datetime) -> Iterator[str]:
    """What comes after the newest closed day is open; days that should be closed by now are missing."""
    first = before.day + _ONE_DAY if before else audit.first_day()
    if first is not None and audit_chain.overdue(first, now):
        yield f"{first}: it is over, and nobody has closed it; the task close_audit_days does"
