"""Renewal slots: claim, mark, finish, release. Each is one statement, and the database's clock decides.

Two workers cannot both win a claim, and a worker that lost its lease cannot write: every later statement names the
fence it was given. No caller's clock takes part.
"""

from dataclasses import dataclass
from uuid import UUID

from tenants.querysets.rows import affected, one_row, rows

_FREE = "(lease_until IS NULL OR lease_until < now())"
# A lease that ended while `sending` means that the provider may have rotated the refresh token already.
_TAKE = """
    lease_owner = %(owner)s, lease_until = now() + %(lease)s * interval '1 second', fence = s.fence + 1,
    uncertain_at = CASE WHEN s.intent = 'sending' THEN coalesce(s.uncertain_at, s.intent_at) ELSE s.uncertain_at END,
    intent = 'claimed', intent_at = now()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to renew one connection until the lease ends. The fence proves it at every write."""

    connection_id: UUID
    fence: int
    uncertain: bool
    suspect_version: int | None
    attempts: int


def claim_due(*, limit: int, owner: str, lease_seconds: float) -> list[Claim]:
    """Claim up to `limit` slots that are due, oldest first, skipping those that others are claiming."""
    sql = f"""
        WITH due AS (
            SELECT connection_id FROM tenants_renewalslot
            WHERE state = 'scheduled' AND due_at <= now() AND {_FREE}
            ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        )
        UPDATE tenants_renewalslot s SET {_TAKE} FROM due WHERE s.connection_id = due.connection_id
        RETURNING s.connection_id, s.fence, s.uncertain_at IS NOT NULL, s.suspect_version, s.attempts
    """  # noqa: S608  constants of this module
    return [_claim(row) for row in rows(sql, {"limit": limit, "owner": owner, "lease": lease_seconds})]


def claim_one(connection_id: UUID, *, owner: str, lease_seconds: float) -> Claim | None:
    """Claim this connection's slot, due or not; None when it is held, parked or absent."""
    sql = f"""
        UPDATE tenants_renewalslot s SET {_TAKE}
        WHERE s.connection_id = %(id)s AND s.state = 'scheduled' AND {_FREE}
        RETURNING s.connection_id, s.fence, s.uncertain_at IS NOT NULL, s.suspect_version, s.attempts
    """  # noqa: S608  constants of this module
    row = one_row(sql, {"id": connection_id, "owner": owner, "lease": lease_seconds})
    return _claim(row) if row else None


def claim_forced(connection_id: UUID, version: int, *, owner: str, lease_seconds: float) -> Claim | None:
    """As claim_one, but at most once a minute for one credential version: a storm of reports makes one request."""
    sql = f"""
        UPDATE tenants_renewalslot s SET {_TAKE}, forced_version = %(version)s, forced_at = now()
        WHERE s.connection_id = %(id)s AND s.state = 'scheduled' AND {_FREE}
          AND (s.forced_version IS DISTINCT FROM %(version)s OR s.forced_at < now() - interval '60 seconds')
        RETURNING s.connection_id, s.fence, s.uncertain_at IS NOT NULL, s.suspect_version, s.attempts
    """  # noqa: S608  constants of this module
    parameters = {"id": connection_id, "version": version, "owner": owner, "lease": lease_seconds}
    row = one_row(sql, parameters)
    return _claim(row) if row else None


def claim_probe(connection_id: UUID, version: int, *, owner: str, lease_seconds: float) -> Claim | None:
    """As claim_forced, for a slot that is parked because there is nothing to renew: only somebody to ask."""
    sql = f"""
        UPDATE tenants_renewalslot s SET {_TAKE}, forced_version = %(version)s, forced_at = now(), failure_class = ''
        WHERE s.connection_id = %(id)s AND {_FREE}
          AND (s.forced_version IS DISTINCT FROM %(version)s OR s.forced_at < now() - interval '60 seconds')
        RETURNING s.connection_id, s.fence, s.uncertain_at IS NOT NULL, s.suspect_version, s.attempts
    """  # noqa: S608  constants of this module
    parameters = {"id": connection_id, "version": version, "owner": owner, "lease": lease_seconds}
    row = one_row(sql, parameters)
    return _claim(row) if row else None


def end_probe(claim: Claim, *, failure: str) -> bool:
    """Give the slot back as it was, with what came of asking. False when the fence is lost."""
    return affected(
        """
        UPDATE tenants_renewalslot
        SET intent = '', intent_at = NULL, lease_until = NULL, failure_class = %(failure)s
        WHERE connection_id = %(id)s AND fence = %(fence)s
        """,
        {"id": claim.connection_id, "fence": claim.fence, "failure": failure},
    )


def held(connection_id: UUID) -> bool:
    """Tell whether somebody holds the slot at this moment."""
    sql = "SELECT 1 FROM tenants_renewalslot WHERE connection_id = %(id)s AND lease_until > now()"
    return one_row(sql, {"id": connection_id}) is not None


def came_of_a_report(connection_id: UUID, version: int) -> bool:
    """Tell whether this version is the one that a report of the last minute led to."""
    sql = """
        SELECT 1 FROM tenants_renewalslot s JOIN tenants_credential c USING (connection_id)
        WHERE s.connection_id = %(id)s AND c.version = %(version)s AND c.previous_version = s.forced_version
          AND s.forced_at > now() - interval '60 seconds' AND c.issued_at >= s.forced_at
    """
    return one_row(sql, {"id": connection_id, "version": version}) is not None


def resume(connection_id: UUID, fence: int) -> Claim | None:
    """Take up a claim that the sweep handed over by id; None when it is taken up already, expired or superseded.

    The fence moves on, so that a message delivered twice gives one claim, even to two workers in one moment.
    """
    sql = """
        UPDATE tenants_renewalslot SET fence = fence + 1
        WHERE connection_id = %(id)s AND fence = %(fence)s AND intent = 'claimed' AND lease_until > now()
        RETURNING connection_id, fence, uncertain_at IS NOT NULL, suspect_version, attempts
    """
    row = one_row(sql, {"id": connection_id, "fence": fence})
    return _claim(row) if row else None


def mark_sending(claim: Claim, *, lease_seconds: float) -> bool:
    """Make the intent to send durable; False when the claim is no longer ours, and then nothing may be sent."""
    return affected(
        """
        UPDATE tenants_renewalslot
        SET intent = 'sending', intent_at = now(), lease_until = now() + %(lease)s * interval '1 second'
        WHERE connection_id = %(id)s AND fence = %(fence)s AND intent = 'claimed' AND lease_until > now()
        """,
        {"id": claim.connection_id, "fence": claim.fence, "lease": lease_seconds},
    )


def finish(claim: Claim, *, due_in_seconds: float | None) -> bool:
    """Record success: intent and failures cleared, next due time set. False when the fence is lost."""
    return affected(
        """
        UPDATE tenants_renewalslot
        SET intent = '', intent_at = NULL, uncertain_at = NULL, suspect_version = NULL, lease_until = NULL,
            attempts = 0, failure_class = '', failed_at = NULL, due_at = now() + %(due)s * interval '1 second',
            state = CASE WHEN %(due)s::float8 IS NULL THEN 'parked' ELSE 'scheduled' END
        WHERE connection_id = %(id)s AND fence = %(fence)s
        """,
        {"id": claim.connection_id, "fence": claim.fence, "due": due_in_seconds},
    )


def release(claim: Claim) -> bool:
    """Give an unused claim back: nothing was sent, nothing changes."""
    return affected(
        """
        UPDATE tenants_renewalslot SET intent = '', intent_at = NULL, lease_until = NULL
        WHERE connection_id = %(id)s AND fence = %(fence)s AND intent = 'claimed'
        """,
        {"id": claim.connection_id, "fence": claim.fence},
    )


def postpone(
    claim: Claim, *, failure: str, seconds: float, uncertain: bool = False, suspect_version: int | None = None
) -> bool:
    """Record a failed attempt and try again later. `uncertain`: it may have been processed."""
    return affected(
        """
        UPDATE tenants_renewalslot
        SET intent = '', lease_until = NULL, attempts = attempts + 1, failure_class = %(failure)s, failed_at = now(),
            uncertain_at = CASE WHEN %(uncertain)s THEN coalesce(uncertain_at, intent_at) ELSE uncertain_at END,
            suspect_version = %(suspect)s, due_at = now() + %(seconds)s * interval '1 second', intent_at = NULL
        WHERE connection_id = %(id)s AND fence = %(fence)s
        """,
        {
            "id": claim.connection_id,
            "fence": claim.fence,
            "failure": failure,
            "seconds": seconds,
            "uncertain": uncertain,
            "suspect": suspect_version,
        },
    )


def park(claim: Claim, *, failure: str) -> bool:
    """Stop renewing: only a new authorization makes the slot due again."""
    return affected(
        """
        UPDATE tenants_renewalslot
        SET state = 'parked', due_at = NULL, intent = '', intent_at = NULL, lease_until = NULL,
            failure_class = %(failure)s, failed_at = now(), attempts = attempts + 1
        WHERE connection_id = %(id)s AND fence = %(fence)s
        """,
        {"id": claim.connection_id, "fence": claim.fence, "failure": failure},
    )


def seize(connection_id: UUID) -> int:
    """Take the slot from whoever holds it, and park it: people come first. Returns the new fence.

    Effects: any renewal in flight loses its fence; its tokens become an orphan and are revoked or adopted.
    """
    row = one_row(
        """
        INSERT INTO tenants_renewalslot AS s (connection_id, state, fence, lease_owner, intent, attempts, failure_class)
        VALUES (%(id)s, 'parked', 1, '', '', 0, '')
        ON CONFLICT (connection_id) DO UPDATE
        SET fence = s.fence + 1, state = 'parked', due_at = NULL, lease_until = NULL, intent = '', intent_at = NULL,
            uncertain_at = CASE WHEN s.intent = 'sending' THEN coalesce(s.uncertain_at, s.intent_at)
                                ELSE s.uncertain_at END
        RETURNING fence
        """,
        {"id": connection_id},
    )
    assert row is not None
    return int(row[0])


def schedule(connection_id: UUID, fence: int, *, due_in_seconds: float | None) -> bool:
    """Start renewing under this fence: failures forgotten, the slot due in so many seconds, None for never."""
    claim = Claim(connection_id=connection_id, fence=fence, uncertain=False, suspect_version=None, attempts=0)
    return finish(claim, due_in_seconds=due_in_seconds)


def unpark(connection_id: UUID) -> bool:
    """Make a parked slot due at once, its doubts kept: what may have been lost before may still be lost."""
    return affected(
        """
        UPDATE tenants_renewalslot SET state = 'scheduled', due_at = now(), fence = fence + 1
        WHERE connection_id = %(id)s AND state = 'parked'
        """,
        {"id": connection_id},
    )


def make_due(connection_id: UUID) -> bool:
    """Ask for a renewal now; whoever sweeps next does it."""
    return affected(
        "UPDATE tenants_renewalslot SET due_at = now() WHERE connection_id = %(id)s AND state = 'scheduled'",
        {"id": connection_id},
    )


def _claim(row: tuple[object, ...]) -> Claim:
    connection_id, fence, uncertain, suspect, attempts = row
    return Claim(
        connection_id=connection_id,  # type: ignore[arg-type]
        fence=fence,  # type: ignore[arg-type]
        uncertain=bool(uncertain),
        suspect_version=suspect,  # type: ignore[arg-type]
        attempts=attempts,  # type: ignore[arg-type]
    )
