"""Which request with an Idempotency-Key is the first; only PostgreSQL can tell when two arrive at once."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from tenants.querysets.rows import one_row, rows

KEPT = timedelta(hours=24)
# Longer than any request lives: whoever has not answered by then died at work.
AT_WORK = timedelta(seconds=60)
# One statement, so that an answer that has ended, or a request that died, makes way for exactly one newcomer.
_CLAIM = """
    INSERT INTO tenants_idempotentrequest AS one (caller_id, key, fingerprint)
    VALUES (%(caller)s, %(key)s, %(fingerprint)s)
    ON CONFLICT (caller_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, status = NULL, sealed = NULL, data_key_id = NULL, created_at = now()
    WHERE one.created_at < now() - %(kept)s
       OR (one.status IS NULL AND one.created_at < now() - %(at_work)s AND one.fingerprint = excluded.fingerprint)
    RETURNING id
"""
_STANDING = """
    SELECT id, fingerprint, status FROM tenants_idempotentrequest
    WHERE caller_id = %(caller)s AND key = %(key)s
"""
_PURGE = "DELETE FROM tenants_idempotentrequest WHERE created_at < now() - %(kept)s RETURNING id"


class Standing(NamedTuple):
    """The request that came first. status is None while it is at work."""

    id: int
    fingerprint: bytes
    status: int | None


def claim(caller_id: UUID, key: str, fingerprint: bytes) -> int | None:
    """Return the new row's id; None when a request with this key came before.

    Effects: one row. Waits while another transaction is about to write the same.
    """
    values = {"caller": caller_id, "key": key, "fingerprint": fingerprint, "kept": KEPT, "at_work": AT_WORK}
    row = one_row(_CLAIM, values)
    return row[0] if row else None


def standing(caller_id: UUID, key: str) -> Standing | None:
    """Return the request that came first with this key."""
    row = one_row(_STANDING, {"caller": caller_id, "key": key})
    return Standing(row[0], bytes(row[1]), row[2]) if row else None


def purge() -> int:
    """Delete what need not be kept any longer. Returns how many."""
    return len(rows(_PURGE, {"kept": KEPT}))
