"""Whose process is alive: each holds an advisory lock of a session of its own, which ends with the process.

PostgreSQL ends a session the moment its process dies, on whatever machine. So a lease whose owner's lock is gone can be
freed at once, long before it ends by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.querysets.rows import one_row, rows

# With the key of one process this makes the lock's name; any other use of advisory locks has other names.
LOCK_CLASS = 1_114_334_025
HOLD = "SELECT pg_backend_pid(), pg_try_advisory_lock(%(class)s, %(key)s)"
PING = "SELECT pg_backend_pid()"
LET_GO = "SELECT pg_advisory_unlock(%(class)s, %(key)s)"
_LOCKS = f"""
    k.locktype = 'advisory' AND k.granted AND k.classid = {LOCK_CLASS} AND k.objsubid = 2
    AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608  constants of this module
_SETTLED = "interval '10 seconds'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Who holds leases, and which processes' locks are there.

    Shape: expired tells whether a lease has ended; settled, whether the server has been up for long enough that every
           process that lives has had time to come back to it.
    """

    owners: frozenset[str]
    keys: frozenset[int]
    expired: bool
    settled: bool


def look() -> Look:
    """Return how things stand at this moment."""
    row = one_row(
        f"""
        SELECT ARRAY(SELECT DISTINCT lease_owner FROM tenants_renewalslot WHERE lease_owner <> ''),
            ARRAY(SELECT k.objid::bigint FROM pg_locks k WHERE {_LOCKS}),
            EXISTS (SELECT 1 FROM tenants_renewalslot WHERE lease_owner <> '' AND lease_until < now()),
            pg_postmaster_start_time() < now() - {_SETTLED}
        """,  # noqa: S608  constants of this module
        {},
    )
    assert row is not None
    owners, keys, expired, settled = row
    return Look(owners=frozenset(owners), keys=frozenset(keys), expired=expired, settled=settled)


def free_leases(dead: Mapping[str, int]) -> int:
    """Free the leases of these owners, given with the keys of their locks, and those that have ended. Returns how many.

    Effects: the fence moves on, so that a late write of the dead cannot pass. What was being sent is in doubt and comes
             first in the queue; what was only claimed is as it was. An owner whose lock is there after all is spared.
    """
    return len(
        rows(
            f"""
            WITH gone AS (
                SELECT dead.owner FROM unnest(%(owners)s::text[], %(keys)s::bigint[]) AS dead (owner, key)
                WHERE NOT EXISTS (SELECT 1 FROM pg_locks k WHERE {_LOCKS} AND k.objid::bigint = dead.key)
            ), freed AS (
                SELECT connection_id FROM tenants_renewalslot
                WHERE lease_owner <> '' AND (lease_until < now() OR lease_owner IN (SELECT owner FROM gone))
                FOR UPDATE SKIP LOCKED
            )
            UPDATE tenants_renewalslot s
            SET fence = s.fence + 1, lease_owner = '', lease_until = NULL, intent = '', intent_at = NULL,
                uncertain_at = CASE WHEN s.intent = 'sending' THEN coalesce(s.uncertain_at, s.intent_at)
                                    ELSE s.uncertain_at END,
                due_at = CASE WHEN s.intent = 'sending' AND s.state = 'scheduled' THEN 'epoch' ELSE s.due_at END
            FROM freed WHERE s.connection_id = freed.connection_id RETURNING s.connection_id
            """,  # noqa: S608  constants of this module
            {"owners": list(dead), "keys": list(dead.values())},
        )
    )
