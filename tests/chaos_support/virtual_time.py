"""Time that passes when a story says so: all that a row remembers moves back by as much."""

from uuid import UUID

from django.db import connection as database
from django.utils import timezone

from tenants.models import RenewalSlot

# The same shift for every moment that a row remembers: later for the row is earlier for its moments.
_TIME_OF_SLOT = """
    UPDATE tenants_renewalslot SET due_at = due_at - d.t, lease_until = lease_until - d.t, intent_at = intent_at - d.t,
        uncertain_at = uncertain_at - d.t, failed_at = failed_at - d.t, forced_at = forced_at - d.t
    FROM (SELECT %(seconds)s * interval '1 second' AS t) d WHERE connection_id = %(id)s
"""
_TIME_OF_CREDENTIAL = """
    UPDATE tenants_credential SET issued_at = issued_at - d.t, expires_at = expires_at - d.t,
        grant_issued_at = grant_issued_at - d.t
    FROM (SELECT %(seconds)s * interval '1 second' AS t) d WHERE connection_id = %(id)s
"""


def shift(connection_id: UUID, seconds: float) -> None:
    """Let so many seconds pass for a connection."""
    values = {"id": connection_id, "seconds": seconds}
    with database.cursor() as cursor:
        cursor.execute(_TIME_OF_SLOT, values)
        cursor.execute(_TIME_OF_CREDENTIAL, values)


def doubt_of(slot: RenewalSlot) -> float | None:
    """For how many seconds nobody knows what came of a request; None when all is known."""
    since = slot.uncertain_at or (slot.intent_at if slot.intent == "sending" else None)
    return None if since is None else (timezone.now() - since).total_seconds()
