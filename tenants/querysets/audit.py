"""Read the audit log a day or a tenant at a time, as text that is always the same."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection

from tenants.querysets.rows import one_row, rows

# A day of a million rows is sorted before the first of them comes.
_PATIENCE = "10min"
_CHUNK = 2000
# Any number that no other advisory lock of one argument has.
_CHAIN_LOCK = 4_155_071_105
_MICROSECONDS = "(extract(epoch FROM {}) * 1000000)::bigint"
# Nothing where nothing was said: as on the days that were closed before it could be.
_USER = "CASE on_behalf_of WHEN '' THEN '[]'::jsonb ELSE jsonb_build_array(on_behalf_of) END"
_EVENTS = f"""
    SELECT (jsonb_build_array(id, {_MICROSECONDS.format("at")}, tenant_id, connection_id, actor_kind, actor, action,
                             source, detail) || {_USER})::text
    FROM tenants_auditevent WHERE at >= %(start)s AND at < %(end)s ORDER BY id
"""  # noqa: S608  constants of this module
# Byte by byte, so that another version of the system's collation does not reorder the past.
_READS = f"""
    SELECT (jsonb_build_array({_MICROSECONDS.format("hour")}, connection_id, tenant_id, caller_id, key_id, source,
                             version, minted_id, encode(fingerprint, 'hex'), reads,
                             {_MICROSECONDS.format("first_at")}, {_MICROSECONDS.format("last_at")}) || {_USER})::text
    FROM tenants_issuecount WHERE hour >= %(start)s AND hour < %(end)s
    ORDER BY hour, connection_id, caller_id, key_id COLLATE "C", source COLLATE "C", on_behalf_of COLLATE "C", version,
             minted_id NULLS FIRST
"""  # noqa: S608  constants of this module
# Whoever has written a row of a day holds this lock until the row is there for everybody, or never will be.
_WRITERS = """
    SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.relation IN ('tenants_auditevent'::regclass, 'tenants_issuecount'::regclass)
      AND l.mode = 'RowExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid() AND a.xact_start < %(before)s
"""


def events_of(day: date) -> Iterator[list[str]]:
    """Give a day's events in pieces, one line each. Needs a transaction."""
    return _lines(_EVENTS, day)


def reads_of(day: date) -> Iterator[list[str]]:
    """As events_of, for a day's sums of reads."""
    return _lines(_READS, day)


def _lines(sql: str, day: date) -> Iterator[list[str]]:
    one_row("SELECT set_config('statement_timeout', %(patience)s, true)", {"patience": _PATIENCE})
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, {"start": start_of(day), "end": start_of(day + timedelta(days=1))})
        while found := cursor.fetchmany(_CHUNK):
            yield [line for (line,) in found]


def start_of(day: date) -> datetime:
    """Return a day's first moment, UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)


def take_chain() -> bool:
    """Take the right to close days, until the end of the transaction; False when another process has it."""
    row = one_row("SELECT pg_try_advisory_xact_lock(%(key)s)", {"key": _CHAIN_LOCK})
    assert row is not None
    return bool(row[0])


def writers_from_before(moment: datetime) -> int:
    """Return how many transactions that began before a moment may still add rows to what was before it."""
    row = one_row(_WRITERS, {"before": moment})
    assert row is not None
    return int(row[0])


def first_day() -> date | None:
    """Return the day of the oldest row, by the order in which rows were written; None when there is none."""
    oldest = [
        *rows("SELECT at FROM tenants_auditevent ORDER BY id LIMIT 1", {}),
        *rows("SELECT hour FROM tenants_issuecount ORDER BY id LIMIT 1", {}),
    ]
    return min((moment.astimezone(UTC).date() for (moment,) in oldest), default=None)


def events_before(day: date) -> bool:
    """Tell whether there is an event from before a day."""
    return bool(rows("SELECT 1 FROM tenants_auditevent WHERE at < %(day)s LIMIT 1", {"day": start_of(day)}))


def reads_purged_before() -> date | None:
    """Return the day before which reads were deleted as too old; None when none ever were."""
    row = one_row("SELECT max(detail->>'before')::date FROM tenants_auditevent WHERE action = 'audit.reads_purged'", {})
    assert row is not None
    found: date | None = row[0]
    return found
