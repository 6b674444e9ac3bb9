"""Gates of client registrations: open, take probes, settle what was counted. Each is one statement on one narrow row.

The database's clock decides, and a row is locked before it is judged: whatever many processes find out in one moment,
each budget is spent once. A registration without a row has a closed gate and its whole budget.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenants.querysets.rows import affected, one_row, rows

OUTAGE, INCIDENT, DOUBTED, CANARY, THROTTLED = "outage", "incident", "doubts", "canary", "throttled"
# How many refused grants may count against customers before the registration itself is suspected.
DOUBTS = 20.0
WINDOW_SECONDS = 30
# Between two probes where staff have to act, and until a probe is given up whose answer never came.
PROBE_SECONDS = 60
_ANSWER_SECONDS = 20
WAIT = f"(CASE WHEN o.cause IN ('outage', 'throttled') THEN {_ANSWER_SECONDS} ELSE {PROBE_SECONDS} END)"
_DOUBTS_AN_HOUR = 20
# What a registration keeps whose secret is new: enough to suspect, too little to end anything by one voice.
_DOUBTS_OF_A_NEW_SECRET = DOUBTS / 2
_LEFT = f"""(CASE WHEN g.state = 'closed'
    THEN least({DOUBTS}, g.doubts + greatest(extract(epoch FROM now() - g.doubts_at), 0) * {_DOUBTS_AN_HOUR} / 3600.0)
    ELSE g.doubts END)::float8"""
OLD = f"""old AS (
    SELECT g.*, {_LEFT} AS doubts_left, coalesce(g.open_until <= now(), true) AS due
    FROM tenants_registrationgate g WHERE g.registration_id = %(id)s FOR UPDATE
)"""  # noqa: S608  constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate as it was read. Units: wait in seconds until open_until, 0 when that is over; level as of then."""

    registration_id: UUID
    state: str
    cause: str
    changed_at: datetime
    wait: float
    probes: int
    step: int
    doubts: float
    level: float | None
    level_age: float
    preferred_secret: int

    @property
    def troubled(self) -> bool:
        """Tell whether something is the matter; a closed gate can have an incident."""
        return self.state != "closed" or self.cause != ""


_COLUMNS = f"""
    g.registration_id, g.state, g.cause, g.changed_at,
    greatest(coalesce(extract(epoch FROM g.open_until - now()), 0), 0)::float8, g.probes, g.step, {_LEFT},
    g.bucket, greatest(extract(epoch FROM now() - g.bucket_at), 0)::float8, g.preferred_secret
"""


def noteworthy() -> list[Gate]:
    """Return every gate that is not simply closed with nothing to tell: as a rule none."""
    sql = f"""
        SELECT {_COLUMNS} FROM tenants_registrationgate g
        WHERE g.state <> 'closed' OR g.cause <> '' OR g.bucket IS NOT NULL OR g.preferred_secret <> 0
           OR {_LEFT} < {DOUBTS} OR g.window_at > now() - interval '{WINDOW_SECONDS} seconds'
    """  # noqa: S608  constants of this module
    return [_gate(row) for row in rows(sql, {})]


def one(registration_id: UUID) -> Gate | None:
    """Return a registration's gate as it is now; None when it never had trouble."""
    sql = f"SELECT {_COLUMNS} FROM tenants_registrationgate g WHERE g.registration_id = %(id)s"  # noqa: S608
    row = one_row(sql, {"id": registration_id})
    return _gate(row) if row else None


def ensure(registration_id: UUID) -> None:
    """Effects: the row, when it was not there."""
    affected(
        """
        INSERT INTO tenants_registrationgate (registration_id, state, cause, openings, probes, step, doubts,
            window_sent, window_failed, preferred_secret)
        SELECT id, 'closed', '', 0, 0, 0, %(doubts)s, 0, 0, 0 FROM tenants_clientregistration WHERE id = %(id)s
        ON CONFLICT DO NOTHING
        """,
        {"id": registration_id, "doubts": DOUBTS},
    )


def take(registration_id: UUID, *, wanted: int, rate: float | None, burst: float) -> int:
    """Return how many of the wanted requests may leave. Units: rate permits a second, burst permits; None: no limit.

    An open gate that is due for a probe gives one, and is half open from then on.
    """
    sql = f"""
        WITH {OLD}, level AS (
            SELECT o.*, CASE WHEN %(rate)s::float8 IS NOT NULL THEN least(%(burst)s, coalesce(o.bucket, %(burst)s)
                + greatest(extract(epoch FROM now() - o.bucket_at), 0) * %(rate)s)::float8 END AS level
            FROM old o
        ), o AS (
            SELECT l.*, greatest(0, least(%(wanted)s, floor(coalesce(l.level, %(wanted)s))::int, CASE l.state
                WHEN 'closed' THEN %(wanted)s
                WHEN 'open' THEN l.due::int ELSE greatest(l.probes, l.due::int) END)) AS given
            FROM level l
        )
        UPDATE tenants_registrationgate g SET
            state = CASE WHEN o.state = 'open' AND o.given > 0 THEN 'half_open' ELSE o.state END,
            step = CASE WHEN o.state = 'open' THEN 0 ELSE o.step END,
            probes = greatest(o.probes - o.given, 0),
            open_until = CASE WHEN o.state <> 'closed' AND o.given > 0
                THEN now() + {WAIT} * interval '1 second' ELSE o.open_until END,
            bucket = o.level - o.given, bucket_at = CASE WHEN o.level IS NULL THEN o.bucket_at ELSE now() END
        FROM o WHERE g.registration_id = o.registration_id
        RETURNING o.given
    """  # noqa: S608  constants of this module
    row = one_row(sql, {"id": registration_id, "wanted": wanted, "rate": rate, "burst": burst})
    return int(row[0]) if row else wanted


def spend(registration_id: UUID, *, spent: int, rate: float, burst: float) -> None:
    """Take from the bucket what nobody asked it for; at most a minute's worth is owed."""
    affected(
        """
        UPDATE tenants_registrationgate SET bucket_at = now(), bucket = greatest(-60 * %(rate)s, least(%(burst)s,
            coalesce(bucket, %(burst)s) + greatest(extract(epoch FROM now() - bucket_at), 0) * %(rate)s) - %(spent)s)
        WHERE registration_id = %(id)s
        """,
        {"id": registration_id, "spent": spent, "rate": rate, "burst": burst},
    )


def open_for(registration_id: UUID, *, cause: str, seconds: float) -> bool:
    """Open the gate for so many seconds; a graver cause that holds it open already stays. False without a row."""
    sql = f"""
        WITH {OLD}, o AS (
            SELECT *, state <> 'closed' AND cause = ANY(%(graver)s) AS stays FROM old
        )
        UPDATE tenants_registrationgate g SET
            state = 'open', cause = CASE WHEN o.stays THEN o.cause ELSE %(cause)s END, probes = 0, step = 0,
            changed_at = CASE WHEN o.stays OR (o.state <> 'closed' AND o.cause = %(cause)s) THEN o.changed_at
                              ELSE now() END,
            open_until = greatest(now() + %(seconds)s * interval '1 second',
                                  CASE WHEN o.stays THEN o.open_until END),
            doubts = o.doubts_left, doubts_at = now()
        FROM o WHERE g.registration_id = o.registration_id
    """  # noqa: S608  constants of this module
    parameters = {"id": registration_id, "cause": cause, "seconds": seconds, "graver": _GRAVER[cause]}
    return affected(sql, parameters)


_GRAVER = {
    INCIDENT: [],
    DOUBTED: [INCIDENT],
    CANARY: [],
    THROTTLED: [INCIDENT, DOUBTED, CANARY],
    OUTAGE: [INCIDENT, DOUBTED, CANARY],
}


def try_secret(registration_id: UUID) -> None:
    """Half open for one probe with the newest secret, and with less trust than a secret that has worked has earned."""
    sql = f"""
        UPDATE tenants_registrationgate g SET
            state = 'half_open', cause = '{CANARY}', changed_at = now(), probes = 1, step = 0, preferred_secret = 0,
            open_until = now() + interval '{PROBE_SECONDS} seconds',
            doubts = least({_LEFT}, {_DOUBTS_OF_A_NEW_SECRET}), doubts_at = now()
        WHERE g.registration_id = %(id)s
    """  # noqa: S608  constants of this module
    affected(sql, {"id": registration_id})


def try_refused_secret(registration_id: UUID) -> bool:
    """Try the newest secret once more where an older one is in use. False where none is."""
    row = one(registration_id)
    if row is None or row.preferred_secret == 0:
        return False
    try_secret(registration_id)
    return True


def try_now(registration_id: UUID) -> bool:
    """Let one probe through a gate that is not closed. False when it is."""
    return affected(
        f"""
        UPDATE tenants_registrationgate SET state = 'half_open', probes = greatest(probes, 1),
            step = CASE WHEN state = 'open' THEN 0 ELSE step END,
            open_until = now() + interval '{PROBE_SECONDS} seconds'
        WHERE registration_id = %(id)s AND state <> 'closed'
        """,  # noqa: S608  constants of this module
        {"id": registration_id},
    )


def make_one_due(registration_id: UUID) -> bool:
    """Have the registration's next renewal happen now. False when there is none to come."""
    return affected(
        """
        UPDATE tenants_renewalslot s SET due_at = least(s.due_at, now()) WHERE s.connection_id = (
            SELECT connection_id FROM tenants_renewalslot
            WHERE registration_id = %(id)s AND state = 'scheduled' AND (lease_until IS NULL OR lease_until < now())
            ORDER BY due_at LIMIT 1
        )
        """,
        {"id": registration_id},
    )


def prefer(registration_id: UUID, place: int) -> bool:
    """Remember which client secret works. False when that is known, or when there is no row."""
    return affected(
        """
        UPDATE tenants_registrationgate SET preferred_secret = %(place)s
        WHERE registration_id = %(id)s AND preferred_secret <> %(place)s
        """,
        {"id": registration_id, "place": place},
    )


def _gate(row: tuple[object, ...]) -> Gate:
    names = Gate.__dataclass_fields__
    return Gate(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]
