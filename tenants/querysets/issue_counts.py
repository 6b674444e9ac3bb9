"""Add to the hourly sums of reads."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

_ADD = """
    INSERT INTO tenants_issuecount AS c
        (connection_id, tenant_id, caller_id, hour, reads, version, last_at)
    VALUES (%s, %s, %s, date_trunc('hour', now()), %s, %s, now())
    ON CONFLICT (connection_id, caller_id, hour, key_id, source, version) DO UPDATE
    SET reads = c.reads + excluded.reads, last_at = excluded.last_at
"""


def add(sums: Sequence[tuple[UUID, UUID, UUID, int, int]]) -> None:
    """Add (connection, tenant, caller, reads, last version) to this hour."""
    # Sorted, so that two processes that write the same rows lock them in the same order.
    ordered = sorted(sums, key=lambda row: (row[0], row[2]))
    with connection.cursor() as cursor:
        cursor.executemany(_ADD, ordered)
