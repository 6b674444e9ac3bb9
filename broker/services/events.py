"""The list of events, as a caller may read it: in the order of their positions, which never changes."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from broker.services.event_access import Audience, narrowed
from broker.services.policy import Grant
from tenants.models import OutboxEvent, Tenant
from tenants.querysets import publishing

LONGEST_WAIT_SECONDS = 20.0
_POLL_SECONDS = 0.5
# Each that waits has a thread of the web process; the others are for whoever wants a token.
_waiting = threading.BoundedSemaphore(1)


class Wanted(NamedTuple):
    """Which events; empty and None: any."""

    types: Sequence[str] = ()
    tenant: str = ""
    connection_id: UUID | None = None


class Found(NamedTuple):
    """A page of events, and the position to go on after: further than the last one where others are between."""

    events: list[OutboxEvent]
    position: int


def page(grant: Grant, after: int, wanted: Wanted, limit: int) -> Found:
    """Return what the caller may be told of after this position, at most so many."""
    # Asked first: what is published between the two is on the next page.
    newest = publishing.newest()
    rows = _rows(grant, wanted).filter(position__gt=max(after, 0)).order_by("position")
    read, audience = list(rows[:limit]), Audience()
    told = [
        row
        for row in read
        if audience.may_be_told(grant, tenant_id=row.tenant_id, connection_id=row.connection_id, payload=row.payload)
    ]
    position = read[-1].position if len(read) == limit else max(newest, after, *(row.position or 0 for row in read))
    return Found(told, position or 0)


def _rows(grant: Grant, wanted: Wanted) -> QuerySet[OutboxEvent]:
    rows = narrowed(OutboxEvent.objects.all(), grant)
    if wanted.types:
        rows = rows.filter(type__in=wanted.types)
    if wanted.tenant:
        rows = rows.filter(tenant_id__in=list(Tenant.objects.filter(slug=wanted.tenant).values_list("id", flat=True)))
    return rows if wanted.connection_id is None else rows.filter(connection_id=wanted.connection_id)


def wait_for(read: Callable[[], Found], seconds: float) -> tuple[Found, bool]:
    """Return the first page that is not empty, or the empty one when the time is over; and whether it was waited.

    One request of a process waits at a time; any other is answered at once. While it waits, it holds no connection to
    the database.
    """
    found = read()
    if found.events or seconds <= 0 or not _waiting.acquire(blocking=False):
        return found, False
    try:
        return _waited(read, found, time.monotonic() + min(seconds, LONGEST_WAIT_SECONDS)), True
    finally:
        _waiting.release()


def _waited(read: Callable[[], Found], found: Found, deadline: float) -> Found:
    while not found.events and time.monotonic() < deadline:
        connection.close()
        time.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))
        if publishing.newest() > found.position:
            found = read()
    return found
