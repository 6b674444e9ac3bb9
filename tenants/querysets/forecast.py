"""Find what ends soon, and write down that it was told: notice, outbox and audit event in one statement a batch.

Each batch is a stretch of a table or of an index, so that a run over a million connections keeps no rows in memory and
no statement lasts. What was told before is left alone by the notices' own constraint: any number of runs tell it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from tenants.querysets.rows import Row, affected, one_row

Place = TypeVar("Place")
# When a customer authorized, and the connection: the order in which tell_absolute goes.
Authorized = tuple[datetime, UUID]
_AHEAD = "interval '30 days'"
_LIVE = "c.state IN ('connected', 'degraded')"
# Only the nearest threshold is told: what nobody told in time is of no use to anybody later.
_TELL = """
    near AS (
        SELECT e.*, CASE WHEN ends_at <= %(now)s + interval '1 day' THEN 1
            WHEN ends_at <= %(now)s + interval '7 days' THEN 7
            WHEN ends_at <= %(now)s + interval '14 days' THEN 14 ELSE 30 END AS days
        FROM ends e
    ), told AS (
        INSERT INTO tenants_expirynotice
            (subject_id, kind, tenant_id, provider_id, ends_at, ends_on, days, created_at)
        SELECT id, kind, tenant_id, provider_id, ends_at, (ends_at AT TIME ZONE 'UTC')::date, days, %(now)s FROM near
        ON CONFLICT DO NOTHING
        RETURNING subject_id, kind, tenant_id, provider_id, days,
            to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS ends_at
    ), facts AS (
        SELECT tenant_id, CASE WHEN kind = 'client_secret' THEN NULL ELSE subject_id END AS connection_id,
            jsonb_build_object('kind', kind, 'ends_at', ends_at, 'days', days) || CASE WHEN kind = 'client_secret'
                THEN jsonb_build_object('registration_id', subject_id, 'provider', provider_id) ELSE '{}' END AS payload
        FROM told
    ), events AS (
        INSERT INTO tenants_outboxevent (tenant_id, connection_id, type, payload)
        SELECT tenant_id, connection_id, %(event)s, payload FROM facts
    ), audited AS (
        INSERT INTO tenants_auditevent (tenant_id, connection_id, actor_kind, actor, action, detail)
        SELECT tenant_id, connection_id, 'system', '', %(event)s, payload FROM facts
    )
"""
_UNRENEWED = f"""
    WITH seen AS MATERIALIZED (
        -- Page by page as they lie on disk: in any other order, each row costs a page. One that is renewed meanwhile
        -- may move past the reader, and needs no telling.
        SELECT connection_id, registration_id, state, attempts, due_at FROM tenants_renewalslot
        WHERE ctid >= %(first)s::tid AND ctid < %(last)s::tid
    ), waiting AS (
        SELECT s.connection_id, s.state, r.unused * interval '1 day' AS unused
        FROM seen s JOIN unnest(%(registrations)s::uuid[], %(days)s::int[]) AS r (id, unused)
            ON r.id = s.registration_id
        -- A renewal that has still to come moves the end; one that fails, is late or is never due may not. Recovered
        -- ones, due since the epoch, are not late: they are first in the queue.
        WHERE s.state = 'parked' OR s.attempts > 0
            OR (s.due_at < %(now)s - interval '1 day' AND s.due_at > 'epoch')
            OR s.due_at > %(now)s + r.unused * interval '12 hours'
    ), held AS (
        SELECT c.id, c.tenant_id, c.provider_id, w.state, k.expires_at, k.issued_at + w.unused AS unused_until
        FROM waiting w JOIN tenants_connection c ON c.id = w.connection_id
            JOIN tenants_credential k ON k.connection_id = c.id
        WHERE {_LIVE} AND (w.state = 'parked' OR k.refresh_fingerprint IS NOT NULL)
    ), ends AS (
        SELECT id, tenant_id, provider_id, 'idle' AS kind, unused_until AS ends_at
        FROM held WHERE state <> 'parked' AND unused_until > %(now)s AND unused_until <= %(now)s + {_AHEAD}
        UNION ALL
        SELECT id, tenant_id, provider_id, 'access_token', expires_at
        FROM held WHERE state = 'parked' AND expires_at > %(now)s AND expires_at <= %(now)s + {_AHEAD}
    ), {_TELL}
    SELECT (SELECT count(*) FROM told),
        pg_relation_size('tenants_renewalslot') > %(next)s::bigint * current_setting('block_size')::int
"""  # noqa: S608  constants of this module
_ABSOLUTE = f"""
    WITH seen AS MATERIALIZED (
        SELECT connection_id, grant_issued_at FROM tenants_credential
        WHERE grant_issued_at > %(now)s - %(days)s * interval '1 day'
            AND grant_issued_at <= %(now)s - %(days)s * interval '1 day' + {_AHEAD}
            AND (grant_issued_at, connection_id) > (%(since)s, %(after)s)
        ORDER BY grant_issued_at, connection_id LIMIT %(limit)s
    ), ends AS (
        SELECT c.id, c.tenant_id, c.provider_id, 'absolute' AS kind,
            s.grant_issued_at + %(days)s * interval '1 day' AS ends_at
        FROM seen s JOIN tenants_connection c ON c.id = s.connection_id
        WHERE {_LIVE} AND c.registration_id = ANY(%(registrations)s)
    ), {_TELL}
    SELECT (SELECT count(*) FROM told), last.grant_issued_at, last.connection_id
    FROM (SELECT) one LEFT JOIN
        (SELECT * FROM seen ORDER BY grant_issued_at DESC, connection_id DESC LIMIT 1) last ON true
"""  # noqa: S608  constants of this module
_SECRETS = f"""
    WITH ends AS (
        SELECT id, tenant_id, provider_id, 'client_secret' AS kind, secret_expires_at AS ends_at
        FROM tenants_clientregistration
        WHERE disabled_at IS NULL AND secret_expires_at > %(now)s AND secret_expires_at <= %(now)s + {_AHEAD}
    ), {_TELL}
    SELECT (SELECT count(*) FROM told)
"""  # noqa: S608  constants of this module


@dataclass(frozen=True, slots=True)
class Batch(Generic[Place]):
    """How many ends were told, and where the next batch begins: None when there is no more."""

    told: int
    next: Place | None


def tell_unrenewed(
    unused_days: Mapping[UUID, int | None], page: int, *, event: str, pages: int, now: datetime
) -> Batch[int]:
    """Tell of connections that nothing renews in time: what lies unused too long, and access tokens that end.

    Shape:  unused_days names the registrations, with the days for which their refresh tokens may lie unused.
    Effects: three rows for each end among the slots on so many pages of their table, about 50 on each.
    """
    following = page + pages
    told, more = _row(
        _UNRENEWED,
        {
            "registrations": list(unused_days),
            "days": list(unused_days.values()),
            "first": f"({page},0)",
            "last": f"({following},0)",
            "next": following,
            "event": event,
            "now": now,
        },
    )
    return Batch(told, following if more else None)


def tell_absolute(
    registrations: Sequence[UUID], days: int, after: Authorized, *, event: str, limit: int, now: datetime
) -> Batch[Authorized]:
    """Tell of authorizations that reach the longest life their provider allows, whatever is renewed meanwhile.

    Effects: three rows for each end among `limit` credentials, in the order in which their customers authorized.
    """
    since, connection_id = after
    told, *last = _row(
        _ABSOLUTE,
        {
            "registrations": list(registrations),
            "days": days,
            "since": since,
            "after": connection_id,
            "limit": limit,
            "event": event,
            "now": now,
        },
    )
    return Batch(told, (last[0], last[1]) if last[0] else None)


def tell_secrets(*, event: str, now: datetime) -> int:
    """Tell of client secrets that end; returns of how many. Effects: three rows for each."""
    return int(_row(_SECRETS, {"event": event, "now": now})[0])


def forget(*, before: datetime) -> None:
    """Delete what was told of ends that had passed by then. Effects: rows."""
    affected("DELETE FROM tenants_expirynotice WHERE ends_at < %(before)s", {"before": before})


def _row(sql: str, values: Mapping[str, Any]) -> Row:
    row = one_row(sql, values)
    assert row is not None
    return row
