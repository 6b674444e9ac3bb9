"""Fair claims of what is due: no tenant gets more than its share of one, no registration hides another's slots.

First those that are due for longest: a window of them and no more, however many there are. When it is full of slots of
registrations that may send nothing, or of one tenant, then lane by lane: a lane is what one tenant has at one
registration. Each is one statement.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenants.querysets.claims import COLUMNS, FREE, TAKE, Claim, as_claim
from tenants.querysets.rows import Row, prepared_rows

# A claim takes its pick of this many times as many, or a little more: a few sizes make few statements to prepare.
_WINDOW, _SIZES = 4, (64, 256, 1024)
_LANES = 500
Lane = tuple[UUID, UUID]
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_DUE = f"s.state = 'scheduled' AND {FREE} AND s.due_at <="
# Rows are found again by where they are: whoever moved one meanwhile is renewing it. Each is locked in its turn, until
# there are enough, and looked at again under the lock; one that is locked is being claimed by somebody else.
_TAKEN = f"""
    turns AS (
        SELECT spot, place, row_number() OVER (PARTITION BY tenant_id ORDER BY place) AS turn FROM candidates
        WHERE registration_id <> ALL(%(held)s::uuid[])
    ), picked AS (
        SELECT mine.spot, first.place
        FROM (SELECT spot, place FROM turns WHERE turn <= %(share)s ORDER BY place) first CROSS JOIN LATERAL (
            SELECT s.ctid AS spot FROM tenants_renewalslot s WHERE s.ctid = first.spot AND {_DUE} now()
            FOR UPDATE SKIP LOCKED
        ) mine LIMIT %(limit)s
    ), taken AS (
        UPDATE tenants_renewalslot s SET {TAKE} FROM picked WHERE s.ctid = picked.spot
        RETURNING {COLUMNS}, picked.place
    )
"""  # noqa: S608  constants of this module
# What is recovered from a process that died is due since 1970, and so comes first.
_BY_AGE = f"""
    WITH candidates AS MATERIALIZED (
        SELECT s.ctid AS spot, s.tenant_id, s.registration_id, s.due_at AS place FROM tenants_renewalslot s
        WHERE {_DUE} CASE WHEN %(recovered)s THEN 'epoch' ELSE now() END ORDER BY s.due_at LIMIT %(size)s
    ), {_TAKEN}
    SELECT (SELECT count(*) FROM candidates) = %(size)s, taken.* FROM (SELECT) always LEFT JOIN taken ON true
    ORDER BY place
"""  # noqa: S608  constants of this module
_LANE = """
    SELECT s.registration_id, s.tenant_id, s.due_at, {step} AS step FROM tenants_renewalslot s
    WHERE s.state = 'scheduled' AND (s.registration_id, s.tenant_id) > ({registration}, {tenant})
    ORDER BY s.registration_id, s.tenant_id, s.due_at LIMIT 1
"""
_FIRST_LANE = _LANE.format(step="1", registration="%(registration)s", tenant="%(tenant)s")
_NEXT_LANE = _LANE.format(
    step="lanes.step + 1",
    registration="lanes.registration_id",
    tenant="CASE WHEN lanes.registration_id = ANY(%(held)s::uuid[]) THEN %(last)s ELSE lanes.tenant_id END",
)
_BY_LANE = f"""
    WITH RECURSIVE lanes AS (
        ({_FIRST_LANE}) UNION ALL
        SELECT next.* FROM lanes CROSS JOIN LATERAL ({_NEXT_LANE}) next WHERE lanes.step < {_LANES}
    ), candidates AS MATERIALIZED (
        SELECT mine.spot, lanes.tenant_id, lanes.registration_id,
            {_LANES + 1} * mine.turn + lanes.step AS place
        FROM lanes CROSS JOIN LATERAL (
            SELECT s.ctid AS spot, row_number() OVER (ORDER BY s.due_at) AS turn FROM tenants_renewalslot s
            WHERE s.registration_id = lanes.registration_id AND s.tenant_id = lanes.tenant_id AND {_DUE} now()
            ORDER BY s.due_at LIMIT %(share)s
        ) mine
        WHERE lanes.due_at <= now() AND lanes.registration_id <> ALL(%(held)s::uuid[])
          AND lanes.tenant_id <> ALL(%(served)s::uuid[])
        LIMIT %(size)s
    ), {_TAKEN}
    SELECT CASE WHEN (SELECT count(*) FROM candidates) = %(size)s
        THEN (SELECT ARRAY[registration_id, tenant_id] FROM candidates
              ORDER BY registration_id DESC, tenant_id DESC LIMIT 1)
        ELSE (SELECT ARRAY[registration_id, tenant_id] FROM lanes WHERE step = {_LANES}) END, taken.*
    FROM (SELECT) always LEFT JOIN taken ON true ORDER BY place
"""  # noqa: S608  constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a claim may take: up to `limit` slots, up to `share` of one tenant, none of the `held` registrations."""

    limit: int
    share: int
    held: Collection[UUID] = ()

    @property
    def size(self) -> int:
        """How many slots are looked at."""
        return next((size for size in _SIZES if size >= _WINDOW * self.limit), _SIZES[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What those that are due for longest gave. Shape: full, when there may be more than were looked at."""

    claims: list[Claim]
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """What going from lane to lane gave. Shape: after is where to go on; None when the last lane was seen."""

    claims: list[Claim]
    after: Lane | None


def claim_window(wanted: Wanted, *, owner: str, lease_seconds: float, recovered_only: bool = False) -> Window:
    """Claim slots that are due, oldest first; what is due behind a full window of others' slots stays unseen."""
    parameters = _parameters(wanted, owner, lease_seconds)
    found = prepared_rows(_sized(_BY_AGE, wanted), {**parameters, "recovered": recovered_only})
    return Window(claims=_claims(found), full=found[0][0])


def claim_lanes(
    wanted: Wanted, *, owner: str, lease_seconds: float, served: Collection[UUID] = (), after: Lane | None = None
) -> Lanes:
    """Claim slots that are due in turns, lane by lane from `after` on, none of the tenants that are served already.

    Shape: a lane is (registration id, tenant id). At most 500 are visited; a held registration is one, whatever it has.
    """
    registration, tenant = after or (_FIRST, _FIRST)
    more = {"served": list(served), "registration": registration, "tenant": tenant, "last": _LAST}
    found = prepared_rows(_sized(_BY_LANE, wanted), {**_parameters(wanted, owner, lease_seconds), **more})
    return Lanes(claims=_claims(found), after=tuple(found[0][0]) if found[0][0] else None)


def _parameters(wanted: Wanted, owner: str, lease_seconds: float) -> dict[str, Any]:
    return {
        "limit": wanted.limit,
        "share": wanted.share,
        "held": list(wanted.held),
        "owner": owner,
        "lease": lease_seconds,
    }


def _sized(sql: str, wanted: Wanted) -> str:
    """Of a number in its text PostgreSQL makes the same good plan each time; of a value it would have to guess."""
    return sql.replace("%(size)s", str(wanted.size))


def _claims(found: list[Row]) -> list[Claim]:
    """Return the claims of rows that begin with something else, and end with the place."""
    return [as_claim(row[1:-1]) for row in found if row[1] is not None]
