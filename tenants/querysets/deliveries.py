"""Deliveries of events: claim what is due, write down what came of it. Each is one statement or two."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from tenants.querysets.rows import affected, one_row, rows

_FREE = "(d.leased_until IS NULL OR d.leased_until <= now())"
_CLAIM = f"""
    WITH busy AS (
        SELECT * FROM unnest(%(busy)s::uuid[], %(out)s::int[]) AS b (endpoint_id, out)
    ), chosen AS (
        SELECT next.id
        FROM tenants_webhookendpoint e LEFT JOIN busy b ON b.endpoint_id = e.id
        CROSS JOIN LATERAL (
            SELECT d.id, d.due_at FROM tenants_webhookdelivery d
            WHERE d.endpoint_id = e.id AND d.state = 'waiting' AND d.due_at <= now() AND {_FREE}
                AND NOT EXISTS (
                    SELECT 1 FROM tenants_webhookdelivery earlier
                    WHERE earlier.endpoint_id = d.endpoint_id AND earlier.order_key = d.order_key
                        AND earlier.state = 'waiting' AND earlier.id < d.id
                )
            ORDER BY d.due_at LIMIT greatest(
                -- One that does not accept gets one request at a time, to see whether it does again.
                CASE WHEN e.failures > 0 THEN 1 ELSE %(most)s END - coalesce(b.out, 0), 0
            )
        ) next
        WHERE e.disabled_at IS NULL AND (e.paused_until IS NULL OR e.paused_until <= now())
        ORDER BY next.due_at LIMIT %(limit)s
    ), ours AS (
        SELECT d.id FROM tenants_webhookdelivery d JOIN chosen USING (id)
        WHERE d.state = 'waiting' AND {_FREE} FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE tenants_webhookdelivery d
    SET attempts = d.attempts + 1, leased_until = now() + %(lease)s * interval '1 second'
    FROM ours WHERE d.id = ours.id
    RETURNING d.id, d.endpoint_id, d.event_id, d.attempts
"""  # noqa: S608  constants of this module
_END = """
    UPDATE tenants_webhookdelivery SET state = %(state)s, ended_at = now(), leased_until = NULL,
        tries = tries || %(tried)s::jsonb
    WHERE id = %(id)s AND state = 'waiting' AND (attempts = %(attempts)s OR %(state)s = 'delivered')
    RETURNING endpoint_id, order_key
"""
_POSTPONE = """
    UPDATE tenants_webhookdelivery SET due_at = now() + %(seconds)s * interval '1 second', leased_until = NULL,
        tries = tries || %(tried)s::jsonb
    WHERE id = %(id)s AND state = 'waiting' AND attempts = %(attempts)s
    RETURNING endpoint_id, order_key, due_at
"""
_FAILING = """
    UPDATE tenants_webhookendpoint SET failures = failures + 1, failing_since = coalesce(failing_since, now()),
        paused_until = greatest(paused_until, now() + CASE WHEN failures + 1 < %(patience)s THEN %(asked)s
            ELSE greatest(%(asked)s, least(%(first)s * 2 ^ least(failures + 1 - %(patience)s, 20), %(longest)s)) END
            * interval '1 second')
    WHERE id = %(id)s AND disabled_at IS NULL
    RETURNING failing_since < now() - %(limit)s * interval '1 second'
"""


class Claimed(NamedTuple):
    """The right to send one delivery, until its lease ends."""

    id: int
    endpoint_id: UUID
    event_id: int
    attempts: int


def claim(*, limit: int, most: int, busy: Mapping[UUID, int], lease_seconds: float) -> list[Claimed]:
    """Return deliveries to send now: of what belongs in order the first alone, of each endpoint a few.

    Shape:  busy says how many the asker has out already, by endpoint; most is how many one may have.
    """
    values = {"busy": list(busy), "out": list(busy.values()), "most": most, "limit": limit, "lease": lease_seconds}
    return [Claimed(*row) for row in rows(_CLAIM, values)]


def end(claimed: Claimed, state: str, tried: Mapping[str, Any] | None) -> bool:
    """Write down that it was accepted, given up or dropped; False when somebody else had the last word.

    Effects: those that waited for it are due. That it was accepted is true whoever has claimed it since.
    """
    values = {"id": claimed.id, "attempts": claimed.attempts, "state": state, "tried": _list(tried)}
    row = one_row(_END, values)
    if row is not None and claimed.attempts > 1:
        _release(claimed, row[0], row[1])
    return row is not None


def _release(claimed: Claimed, endpoint_id: UUID, order_key: UUID) -> None:
    sql = """
        UPDATE tenants_webhookdelivery SET due_at = now() WHERE endpoint_id = %(endpoint)s AND order_key = %(key)s
            AND state = 'waiting' AND id > %(id)s AND due_at > now()
    """
    affected(sql, {"endpoint": endpoint_id, "key": order_key, "id": claimed.id})


def postpone(claimed: Claimed, tried: Mapping[str, Any], *, seconds: float) -> bool:
    """Write down a try, and when the next is due; False when somebody else has claimed it since.

    Effects: those that wait for it are not looked at before.
    """
    row = one_row(
        _POSTPONE, {"id": claimed.id, "attempts": claimed.attempts, "seconds": seconds, "tried": _list(tried)}
    )
    if row is None:
        return False
    sql = """
        UPDATE tenants_webhookdelivery SET due_at = %(due)s WHERE endpoint_id = %(endpoint)s AND order_key = %(key)s
            AND state = 'waiting' AND id > %(id)s AND due_at < %(due)s
    """
    affected(sql, {"endpoint": row[0], "key": row[1], "due": row[2], "id": claimed.id})
    return True


def note_accepted(endpoint_id: UUID) -> None:
    """Let an endpoint have several requests at a time again. Effects: none where nothing had failed."""
    sql = """
        UPDATE tenants_webhookendpoint SET failures = 0, failing_since = NULL, paused_until = NULL
        WHERE id = %(id)s AND failures > 0
    """
    affected(sql, {"id": endpoint_id})


def note_failure(
    endpoint_id: UUID, *, patience: int, asked: float, first: float, longest: float, limit_seconds: float
) -> bool:
    """Count a failed try; True when nothing has been accepted for longer than the limit.

    Shape:  after `patience` failures in a row the endpoint rests: for `first` seconds, then twice as long each time.
            asked is the rest that it asked for itself, in seconds; 0 for none.
    """
    values = {"patience": patience, "asked": asked, "first": first, "longest": longest, "limit": limit_seconds}
    row = one_row(_FAILING, {"id": endpoint_id, **values})
    return row is not None and bool(row[0])


def drop_waiting(endpoint_id: UUID) -> None:
    """End what still waits for an endpoint that gets nothing more."""
    sql = """
        UPDATE tenants_webhookdelivery SET state = 'dropped', ended_at = now(), leased_until = NULL
        WHERE endpoint_id = %(id)s AND state = 'waiting'
    """
    affected(sql, {"id": endpoint_id})


def _list(tried: Mapping[str, Any] | None) -> str:
    return json.dumps([dict(tried)] if tried else [])
