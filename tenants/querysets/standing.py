"""How a connection's renewal stands: for callers whose token is not good enough, never on the fresh path."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tenants.querysets.rows import one_row


class Standing(NamedTuple):
    """One look at a slot.

    Shape:  held: somebody is renewing. version is the stored credential's, 0 for none. failure is what came of the last
            attempt, "" for success; uncertain: the provider may have acted on one that nobody heard of.
    Units:  seconds; failed_ago None when nothing has failed, wait until the next attempt is due, None for never.
    """

    registration_id: UUID
    parked: bool
    held: bool
    version: int
    attempts: int
    failure: str
    failed_at: datetime | None
    failed_ago: float | None
    wait: float | None
    uncertain: bool


def of(connection_id: UUID) -> Standing | None:
    """Return how it stands by the database's clock; None for a connection without a slot."""
    row = one_row(
        """
        SELECT s.registration_id, s.state = 'parked', coalesce(s.lease_until > now(), false), coalesce(c.version, 0),
            s.attempts, s.failure_class, s.failed_at, extract(epoch FROM now() - s.failed_at)::float8,
            extract(epoch FROM s.due_at - now())::float8, s.uncertain_at IS NOT NULL
        FROM tenants_renewalslot s LEFT JOIN tenants_credential c ON c.connection_id = s.connection_id
        WHERE s.connection_id = %(id)s
        """,
        {"id": connection_id},
    )
    return Standing._make(row) if row else None
