"""What each web process counted of each caller in a minute."""

from collections.abc import Mapping
from uuid import UUID

from tenants.querysets.rows import rows

_EXCHANGE = """
    WITH told AS (
        INSERT INTO tenants_callerminute AS m (caller_id, minute, process, used)
        SELECT caller_id, to_timestamp(%(minute)s), %(process)s, used
        FROM unnest(%(callers)s::uuid[], %(used)s::bigint[]) AS t (caller_id, used)
        ON CONFLICT (caller_id, minute, process) DO UPDATE SET used = excluded.used
    )
    SELECT caller_id, sum(used)::bigint FROM tenants_callerminute
    WHERE caller_id = ANY (%(callers)s::uuid[]) AND minute = to_timestamp(%(minute)s) AND process <> %(process)s
    GROUP BY caller_id
"""
_FORGET = "DELETE FROM tenants_callerminute WHERE minute < now() - interval '10 minutes' RETURNING 1"


def exchange(process: UUID, minute: int, own: Mapping[UUID, int]) -> dict[UUID, int]:
    """Write down this process's counts of one minute, and return the sums of all others.

    Units: minute is its beginning, in seconds since 1970.
    """
    # In one order everywhere; each process has rows of its own.
    callers = sorted(own)
    used = [own[caller] for caller in callers]
    found = rows(_EXCHANGE, {"minute": minute, "process": process, "callers": callers, "used": used})
    return dict(found)


def forget() -> int:
    """Delete what no limit looks at any more, and return how many rows that were."""
    return len(rows(_FORGET, {}))
