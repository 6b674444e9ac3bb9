"""Add to the hourly sums of reads, so that each is added once whatever becomes of the connection."""

from tenants.querysets.rows import one_row, rows

# One text for all of it: the database takes it apart in a tenth of the time that binding its values takes here. Sorted,
# so that two processes that write the same rows lock them in the same order.
_ADD = """
    WITH added AS (INSERT INTO tenants_issuecount AS c
        (connection_id, tenant_id, caller_id, key_id, source, on_behalf_of, version, minted_id, fingerprint, reads,
         first_at, last_at, hour)
    SELECT s.connection, s.tenant, s.caller, s.key, s.source, s.on_behalf_of, s.version, s.minted,
           decode(s.fingerprint, 'base64'), s.reads, now() - s.first * interval '1 second',
           now() - s.last * interval '1 second', date_trunc('hour', now(), 'UTC')
    FROM json_to_recordset(%(sums)s::json) AS s(connection uuid, tenant uuid, caller uuid, key text, source text,
         on_behalf_of text, version bigint, minted uuid, fingerprint text, reads bigint, first float8, last float8)
    ORDER BY s.connection, s.caller, s.key, s.source, s.on_behalf_of, s.version, s.minted
    ON CONFLICT (connection_id, caller_id, hour, key_id, source, on_behalf_of, version, minted_id) DO UPDATE
    SET reads = c.reads + excluded.reads,
        first_at = least(c.first_at, excluded.first_at),
        last_at = greatest(c.last_at, excluded.last_at),
        fingerprint = coalesce(c.fingerprint, excluded.fingerprint))
    SELECT pg_current_xact_id()::text
"""


def add(sums: str) -> str:
    """Add to this hour. Returns the transaction's id, for `committed`. No two sums may be of the same row.

    Shape:  a JSON list of objects with connection, tenant, caller, key, source, on_behalf_of, version, minted,
            fingerprint (base64), reads, first and last. minted tells which token it was, of those for sets of scopes;
            their versions are numbers of their own.
    Units:  first and last are the ages of the first and the last read in seconds.
    """
    row = one_row(_ADD, {"sums": sums})
    assert row is not None
    return str(row[0])


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
