"""What answers do to a registration's gate: the circuit that opens and is tried again, and the budget of doubts.

Each is one statement on the locked row, see `gates`.
"""

from dataclasses import dataclass
from uuid import UUID

from tenants.querysets.gates import DOUBTED, DOUBTS, INCIDENT, OLD, PROBE_SECONDS, WAIT, WINDOW_SECONDS
from tenants.querysets.rows import one_row

# Half of so many within the window, and the provider counts as failing.
_ENOUGH_SENT = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 300
# A success that takes so many more along makes 1, 2, 4, 8 ... of them; so many in a row end the trial.
_PROBES_EARNED, _MOST_PROBES, _ENOUGH = 2, 64, 64
# Where there are few connections, so many are enough once so much time has passed.
_FEW_ENOUGH, _FEW_SECONDS = 8, 600
# A success earns a twentieth of what a refusal costs, in the budget as in a trial.
_SUCCESSES_A_REFUSAL = 20
_ENDS_FROM = DOUBTS / 2
# A success that comes so soon after our client was refused had left before that.
_LATE_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a statement found and left."""

    old_state: str
    old_cause: str
    state: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Whether a refusal may count against a customer, and whether it was the one that opened the gate."""

    allowed: bool
    opened: bool


_JUDGED = f"""
    {OLD}, counted AS (
        SELECT *, window_at > now() - interval '{WINDOW_SECONDS} seconds' AS within,
            greatest(%(sent)s, %(failed)s, %(granted)s) AS sent, %(failed)s AS failed, %(granted)s AS granted
        FROM old
    ), summed AS (
        SELECT *, CASE WHEN within THEN window_sent ELSE 0 END + sent AS all_sent,
            CASE WHEN within THEN window_failed ELSE 0 END + failed AS all_failed,
            CASE WHEN cause = '{DOUBTED}' THEN granted ELSE greatest(sent - failed, granted) END AS good
        FROM counted
    ), judged AS (
        SELECT *, CASE state WHEN 'closed' THEN all_sent >= {_ENOUGH_SENT} AND all_failed * 2 >= all_sent
                             WHEN 'half_open' THEN failed > 0 AND all_failed * 2 >= all_sent ELSE false END AS fails,
            step + good >= {_ENOUGH} OR (step + good >= {_FEW_ENOUGH}
                AND changed_at < now() - interval '{_FEW_SECONDS} seconds') AS proven
        FROM summed
    ), o AS (
        SELECT *, CASE WHEN fails THEN 'open' WHEN state = 'half_open' AND good > 0 AND proven THEN 'closed'
                       WHEN state = 'open' AND cause = '{INCIDENT}' AND granted > 0
                           AND changed_at < now() - interval '{_LATE_SECONDS} seconds' THEN 'half_open'
                       ELSE state END AS next
        FROM judged
    )
"""  # noqa: S608  constants of these modules
_PAUSE = f"""
    (CASE WHEN o.cause IN ('incident', 'doubts', 'canary') THEN {PROBE_SECONDS}
          ELSE least({_LONGEST_PAUSE}, {_FIRST_PAUSE} * 2 ^ least(o.openings, 10)) END
     * (0.8 + 0.4 * %(chance)s::float8) * interval '1 second')
"""
_SETTLE = f"""
    WITH {_JUDGED}
    UPDATE tenants_registrationgate g SET
        state = o.next,
        cause = CASE WHEN o.fails AND o.cause = '' THEN 'outage'
                     WHEN o.next = 'closed' AND (o.state <> 'closed' OR o.granted > 0) THEN '' ELSE o.cause END,
        changed_at = CASE WHEN o.next = o.state THEN o.changed_at ELSE now() END,
        openings = CASE WHEN o.fails THEN o.openings + 1 WHEN o.next = 'closed' THEN 0 ELSE o.openings END,
        open_until = CASE WHEN o.fails THEN now() + {_PAUSE}
                          WHEN o.next = 'half_open' AND o.good > 0 THEN now() + {WAIT} * interval '1 second'
                          WHEN o.next = 'closed' THEN NULL ELSE o.open_until END,
        probes = CASE WHEN o.next = 'half_open' THEN least({_MOST_PROBES}, o.probes + {_PROBES_EARNED} * o.good)
                      ELSE 0 END,
        step = CASE WHEN o.next = 'half_open' THEN o.step + o.good ELSE 0 END,
        doubts = CASE WHEN o.next = 'open' THEN o.doubts_left
                      ELSE least({DOUBTS}, o.doubts_left + o.granted / {_SUCCESSES_A_REFUSAL}.0) END,
        doubts_at = now(),
        window_at = CASE WHEN o.within AND o.next = o.state THEN o.window_at ELSE now() END,
        window_sent = CASE WHEN o.next = o.state THEN o.all_sent ELSE 0 END,
        window_failed = CASE WHEN o.next = o.state THEN o.all_failed ELSE 0 END
    FROM o WHERE g.registration_id = o.registration_id
    RETURNING o.state, o.cause, g.state, g.cause
"""  # noqa: S608  constants of these modules


def settle(registration_id: UUID, *, sent: int, failed: int, granted: int, chance: float) -> Change | None:
    """Add what was counted, and open, go on trying, or close the gate accordingly. None without a row.

    Shape: failed and granted are among the sent; granted are renewed credentials. chance from 0 to 1, for jitter.
    """
    counts = {"sent": sent, "failed": failed, "granted": granted, "chance": chance}
    row = one_row(_SETTLE, {"id": registration_id, **counts})
    return Change(old_state=row[0], old_cause=row[1], state=row[2], cause=row[3]) if row else None


_DOUBT = f"""
    WITH {OLD}, weighed AS (
        SELECT *, state <> 'closed' AND cause = '{DOUBTED}' AS suspected,
            CASE WHEN %(ends)s THEN doubts_left >= {_ENDS_FROM}
                     AND (state = 'closed' OR (state = 'half_open' AND cause <> '{DOUBTED}' AND step > 0))
                 ELSE doubts_left >= 1 AND NOT (state <> 'closed' AND cause = '{DOUBTED}') END AS allowed
        FROM old
    ), o AS (
        SELECT *, doubts_left - allowed::int AS doubts_after,
            NOT %(ends)s AND NOT suspected AND doubts_left - allowed::int < 1
            AND NOT (state = 'open' AND cause = '{INCIDENT}') AS opens
        FROM weighed
    )
    UPDATE tenants_registrationgate g SET
        doubts = o.doubts_after, doubts_at = now(),
        state = CASE WHEN o.opens THEN 'open' ELSE o.state END,
        cause = CASE WHEN o.opens THEN '{DOUBTED}' ELSE o.cause END,
        changed_at = CASE WHEN o.opens THEN now() ELSE o.changed_at END,
        open_until = CASE WHEN o.opens THEN now() + interval '{PROBE_SECONDS} seconds' ELSE o.open_until END,
        probes = CASE WHEN o.opens THEN 0 ELSE o.probes END,
        step = CASE WHEN o.opens THEN 0
                    WHEN o.suspected THEN greatest(o.step - {_SUCCESSES_A_REFUSAL}, 0) ELSE o.step END
    FROM o WHERE g.registration_id = o.registration_id
    RETURNING o.allowed, o.opens
"""  # noqa: S608  constants of these modules


def doubt(registration_id: UUID, *, ends: bool) -> Doubt | None:
    """Spend one of the budget on a refused grant, if that is left; None without a row.

    Shape: ends is the wish to end the connection: that takes half of the budget, never opens the gate, and waits while
           the gate is open, or tried without one success yet.
    """
    row = one_row(_DOUBT, {"id": registration_id, "ends": ends})
    return Doubt(allowed=row[0], opened=row[1]) if row else None
