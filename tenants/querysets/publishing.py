"""Give events their positions: one publisher at a time, so that they stand in one order for whoever reads them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from tenants.querysets.rows import one_row, rows

# Any number that no other advisory lock here uses.
_LOCK = 0x6F757462
_WAITING = "SELECT 1 FROM tenants_outboxevent WHERE position IS NULL LIMIT 1"
_NEXT = """
    SELECT e.id, e.uid, e.type, e.tenant_id, e.connection_id, e.payload, e.created_at, t.slug,
        coalesce(c.provider_id, r.provider_id), r.environment, c.label, c.state, c.reason, r.id
    FROM (SELECT * FROM tenants_outboxevent WHERE position IS NULL ORDER BY id LIMIT %(limit)s) e
        LEFT JOIN tenants_tenant t ON t.id = e.tenant_id
        LEFT JOIN tenants_connection c ON c.id = e.connection_id
        LEFT JOIN tenants_clientregistration r
            ON r.id = coalesce(c.registration_id, (e.payload ->> 'registration_id')::uuid)
    ORDER BY e.id
"""
_PUBLISH = """
    UPDATE tenants_outboxevent e SET position = last.position + given.place, payload = given.payload
    FROM unnest(%(ids)s::bigint[], %(payloads)s::jsonb[]) WITH ORDINALITY AS given (id, payload, place),
        (SELECT greatest(coalesce(max(position), 0), 0) AS position FROM tenants_outboxevent) last
    WHERE e.id = given.id
"""
_DELIVER = """
    INSERT INTO tenants_webhookdelivery (endpoint_id, event_id, order_key, state, attempts, tries, replayed)
    SELECT endpoint, event, order_key, 'waiting', 0, '[]', false
    FROM unnest(%(endpoints)s::uuid[], %(events)s::bigint[], %(keys)s::uuid[]) WITH ORDINALITY
        AS given (endpoint, event, order_key, place)
    ORDER BY place
"""
# The newest stays: from it, the next position is counted.
_PURGE = """
    DELETE FROM tenants_outboxevent WHERE id = ANY(%(ids)s)
        AND position < (SELECT max(position) FROM tenants_outboxevent)
"""


class Unpublished(NamedTuple):
    """An event with what its rows say at this moment; None where there is no such row."""

    id: int
    uid: UUID
    type: str
    tenant_id: UUID | None
    connection_id: UUID | None
    payload: dict[str, Any]
    created_at: datetime
    tenant: str | None
    provider: str | None
    environment: str | None
    label: str | None
    state: str | None
    reason: str | None
    registration_id: UUID | None


def waiting() -> bool:
    """Tell whether there is anything to publish. Effects: one look into a small index."""
    return one_row(_WAITING, {}) is not None


def hold() -> bool:
    """Be the publisher until the transaction ends; False when another is."""
    row = one_row("SELECT pg_try_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
    return row is not None and bool(row[0])


def unpublished(limit: int) -> list[Unpublished]:
    """Return the oldest events without a position, in their order."""
    found = (Unpublished(*row) for row in rows(_NEXT, {"limit": limit}))
    return [each._replace(payload=_decoded(each.payload)) for each in found]


def publish(payloads: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Give these events the next positions in this order, and their payloads. Needs `hold`."""
    values: dict[str, Any] = {
        "ids": [each for each, _ in payloads],
        "payloads": [json.dumps(payload) for _, payload in payloads],
    }
    with connection.cursor() as cursor:
        cursor.execute(_PUBLISH, values)


def deliver(given: Sequence[tuple[UUID, int, UUID]]) -> None:
    """Make deliveries of endpoint, event and order key, their ids in this order."""
    endpoints, events, keys = zip(*given, strict=True) if given else ((), (), ())
    values: dict[str, Any] = {"endpoints": list(endpoints), "events": list(events), "keys": list(keys)}
    with connection.cursor() as cursor:
        cursor.execute(_DELIVER, values)


def newest() -> int:
    """Return the position of the newest event; 0 before the first."""
    row = one_row("SELECT coalesce(max(position), 0) FROM tenants_outboxevent WHERE position > 0", {})
    assert row is not None
    return int(row[0])


def purge(*, before: datetime, limit: int) -> int:
    """Delete published events of before then with their deliveries, the oldest of them. Returns how many events."""
    old = rows(
        """
        SELECT id FROM (SELECT id, position, created_at FROM tenants_outboxevent ORDER BY id LIMIT %(limit)s) oldest
        WHERE created_at < %(before)s AND position IS NOT NULL
        """,
        {"limit": limit, "before": before},
    )
    values: dict[str, Any] = {"ids": [row[0] for row in old]}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_webhookdelivery WHERE event_id = ANY(%(ids)s)", values)
        cursor.execute(_PURGE, values)
        return int(cursor.rowcount)


def _decoded(payload: Any) -> dict[str, Any]:
    # Django's connection leaves JSON as text for the fields of models.
    decoded: dict[str, Any] = json.loads(payload) if isinstance(payload, str) else payload
    return decoded
