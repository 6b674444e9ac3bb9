"""Which keys are in use, and how many different connections they read."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tenants.querysets.rows import one_row, rows

_IN_USE = """
    SELECT k.id, k.key_id, ca.id, ca.name, ca.connections_per_hour
    FROM tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id
    WHERE k.last_used_at > %(now)s - interval '2 minutes' AND k.revoked_at IS NULL
      AND (k.throttled_until IS NULL OR k.throttled_until <= %(now)s)
    ORDER BY k.key_id
"""
# The last hour begins anew where a throttle ended: what was read before has been answered for.
# DISTINCT in a row of its own is hashed; inside count() it would be sorted, at twice the cost.
_LAST_HOUR = """
    SELECT count(*) FROM (
        SELECT DISTINCT c.connection_id FROM tenants_apikey k JOIN tenants_issuecount c ON c.key_id = k.key_id
        WHERE k.key_id = %(key)s AND c.hour >= date_trunc('hour', %(now)s, 'UTC') - interval '1 hour'
          AND c.last_at > greatest(%(now)s - interval '1 hour', k.throttled_until)
    ) AS read
"""
_IN_HOUR = """
    SELECT count(*) FROM (
        SELECT DISTINCT connection_id FROM tenants_issuecount WHERE key_id = ANY (%(keys)s) AND hour = %(hour)s
    ) AS read
"""
# Key by key: so the first and the last entry of the index are all that is read.
_SPAN = """
    SELECT min(own.first), max(own.last) FROM unnest(%(keys)s::text[]) AS k(key_id) CROSS JOIN LATERAL (
        SELECT min(hour) AS first, max(hour) AS last FROM tenants_issuecount c
        WHERE c.key_id = k.key_id AND c.hour < %(before)s
    ) AS own
"""
_OF_CALLER = "SELECT key_id FROM tenants_apikey WHERE caller_id = %(caller)s ORDER BY key_id"


class KeyInUse(NamedTuple):
    """A key that has read something in the last minutes and is not throttled."""

    id: UUID
    key_id: str
    caller_id: UUID
    caller_name: str
    connections_per_hour: int


def in_use(now: datetime) -> list[KeyInUse]:
    """Return the keys that have read something lately."""
    return [KeyInUse(*row) for row in rows(_IN_USE, {"now": now})]


def read_in_last_hour(key_id: str, now: datetime) -> int:
    """Return how many different connections a key read in the hour that ends now."""
    return _number(one_row(_LAST_HOUR, {"key": key_id, "now": now}))


def read_in_hour(key_ids: Sequence[str], hour: datetime) -> int:
    """Return how many different connections these keys read in the hour that began then."""
    return _number(one_row(_IN_HOUR, {"keys": list(key_ids), "hour": hour}))


def span(key_ids: Sequence[str], before: datetime) -> tuple[datetime, datetime] | None:
    """Return the first and the last hour before a moment in which one of these keys read something."""
    row = one_row(_SPAN, {"keys": list(key_ids), "before": before})
    return (row[0], row[1]) if row and row[0] else None


def keys_of(caller_id: UUID) -> list[str]:
    """Return the ids of all keys that a caller has or had."""
    return [row[0] for row in rows(_OF_CALLER, {"caller": caller_id})]


def _number(row: tuple[int, ...] | None) -> int:
    return row[0] if row else 0
