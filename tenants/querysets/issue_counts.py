"""Add to the hourly sums of reads, so that each is added once whatever becomes of the connection."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from tenants.querysets.rows import affected, one_row, rows

# One value to bind for each column: the database takes arrays apart faster than a statement a row is sent.
_ADD = """
    INSERT INTO tenants_issuecount AS c
        (connection_id, tenant_id, caller_id, key_id, source, version, minted_id, fingerprint, reads,
         first_at, last_at, hour)
    SELECT s.connection_id, s.tenant_id, s.caller_id, s.key_id, s.source, s.version, s.minted_id, s.fingerprint,
           s.reads,
           now() - s.first_age * interval '1 second', now() - s.last_age * interval '1 second',
           date_trunc('hour', now(), 'UTC')
    FROM unnest(%(connection)s::uuid[], %(tenant)s::uuid[], %(caller)s::uuid[], %(key)s::text[], %(source)s::text[],
                %(version)s::bigint[], %(minted)s::uuid[], %(fingerprint)s::bytea[], %(reads)s::bigint[],
                %(first)s::float8[], %(last)s::float8[])
        AS s(connection_id, tenant_id, caller_id, key_id, source, version, minted_id, fingerprint, reads,
             first_age, last_age)
    ON CONFLICT (connection_id, caller_id, hour, key_id, source, version, minted_id) DO UPDATE
    SET reads = c.reads + excluded.reads,
        first_at = least(c.first_at, excluded.first_at),
        last_at = greatest(c.last_at, excluded.last_at),
        fingerprint = coalesce(c.fingerprint, excluded.fingerprint)
"""
_NONE = UUID(int=0)


class Sum(NamedTuple):
    """Reads of one version by one key from one source. Units: the ages of the first and the last read in seconds.

    minted_id tells which token it was, of those for sets of scopes; their versions are numbers of their own.
    """

    connection: UUID
    tenant: UUID
    caller: UUID
    key: str
    source: str
    version: int
    minted: UUID | None
    fingerprint: bytes | None
    reads: int
    first: float
    last: float


def add(sums: Sequence[Sum]) -> str:
    """Add to this hour. Returns the transaction's id, for `committed`. No two sums may be of the same row."""
    # Sorted, so that two processes that write the same rows lock them in the same order.
    ordered = sorted(sums, key=_order)
    affected(_ADD, {name: list(column) for name, column in zip(Sum._fields, zip(*ordered, strict=True), strict=True)})
    row = one_row("SELECT pg_current_xact_id()::text", {})
    assert row is not None
    return str(row[0])


def _order(one: Sum) -> tuple[object, ...]:
    return one.connection, one.caller, one.key, one.source, one.version, one.minted or _NONE


def committed(transaction_id: str) -> bool | None:
    """Tell what became of a transaction whose end was not heard of; None while it is still open."""
    row = one_row("SELECT pg_xact_status(%(id)s::xid8)", {"id": transaction_id})
    assert row is not None
    return None if row[0] == "in progress" else row[0] == "committed"


def purge(before_day: object, *, limit: int) -> int:
    """Delete sums of hours before a day, at most so many. Returns how many."""
    return len(
        rows(
            """
            DELETE FROM tenants_issuecount WHERE id = ANY(ARRAY(
                SELECT id FROM tenants_issuecount WHERE hour < %(day)s LIMIT %(limit)s
            )) RETURNING 1
            """,
            {"day": before_day, "limit": limit},
        )
    )
