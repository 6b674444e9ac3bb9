"""Renewal slots: mark, finish, release, hand over to people. Each is one statement under the fence of a claim.

`claims` and `fair_claims` have the ways to get a claim. Whatever ends one leaves no owner behind: only held slots have
one, and their index stays small.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tenants.querysets.claims import Claim as Claim
from tenants.querysets.claims import claim_forced as claim_forced
from tenants.querysets.claims import claim_one as claim_one
from tenants.querysets.claims import claim_probe as claim_probe
from tenants.querysets.rows import affected, one_row, rows

_OURS = """
    FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS ours (id, fence)
    WHERE s.connection_id = ours.id AND s.fence = ours.fence AND s.intent = 'claimed'
"""


def next_doubt(seconds: float) -> float | None:
    """Return in how many seconds a slot falls due whose last answer nobody heard; None: none within so many."""
    sql = """
        SELECT greatest(extract(epoch FROM due_at - now())::float8, 0) FROM tenants_renewalslot
        WHERE state = 'scheduled' AND uncertain_at IS NOT NULL AND lease_owner = ''
          AND due_at BETWEEN now() - interval '1 second' AND now() + %(seconds)s * interval '1 second'
        ORDER BY due_at LIMIT 1
    """
    row = one_row(sql, {"seconds": seconds})
    return row[0] if row else None


def end_probe(claim: Claim, *, failure: str, suspect_version: int | None = None) -> bool:
    """Give the slot back as it was, with what came of asking. False when the fence is lost.

    Shape: failed_at is when that version was first suspected.
    """
    return affected(
        """
        UPDATE tenants_renewalslot
        SET intent = '', intent_at = NULL, lease_until = NULL, lease_owner = '', failure_class = %(failure)s,
            failed_at = CASE WHEN suspect_version = %(suspect)s THEN failed_at ELSE now() END,
            suspect_version = %(suspect)s
        WHERE connection_id = %(id)s AND fence = %(fence)s
        """,
        {"id": claim.connection_id, "fence": claim.fence, "failure": failure, "suspect": suspect_version},
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


def mark_sending_many(claims: Sequence[Claim], *, lease_seconds: float) -> set[UUID]:
    """Make many intents durable at once. Returns the connections still ours: for the others nothing may be sent."""
    sql = f"""
        UPDATE tenants_renewalslot s
        SET intent = 'sending', intent_at = now(), lease_until = now() + %(lease)s * interval '1 second'
        {_OURS} AND s.lease_until > now() RETURNING s.connection_id
    """  # noqa: S608  constants of this module
    return {row[0] for row in rows(sql, {**_fences(claims), "lease": lease_seconds})}


def finish(claim: Claim, *, due_in_seconds: float | None) -> bool:
    """Record success: intent and failures cleared, next due time set. False when the fence is lost."""
    return _finish(claim.connection_id, claim.fence, due_in_seconds)


def release(claim: Claim) -> bool:
    """Give an unused claim back: nothing was sent, nothing changes."""
    return bool(release_many([claim]))


def release_many(claims: Sequence[Claim]) -> set[UUID]:
    """Give unused claims back. Returns the connections whose claim was still ours."""
    sql = f"""
        UPDATE tenants_renewalslot s SET intent = '', intent_at = NULL, lease_until = NULL, lease_owner = ''
        {_OURS} RETURNING s.connection_id
    """  # noqa: S608  constants of this module
    return {row[0] for row in rows(sql, _fences(claims))}


def give_back_unsent(*claims: Claim) -> None:
    """Give claims back, marked or not, whose request has certainly not left: nothing is in doubt by them."""
    affected(
        """
        UPDATE tenants_renewalslot s SET intent = '', intent_at = NULL, lease_until = NULL, lease_owner = ''
        FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS ours (id, fence)
        WHERE s.connection_id = ours.id AND s.fence = ours.fence AND s.intent <> ''
        """,
        _fences(claims),
    )


def postpone(
    claim: Claim, *, failure: str, seconds: float, uncertain: bool = False, suspect_version: int | None = None
) -> bool:
    """Record a failed attempt and try again later. `uncertain`: it may have been processed."""
    return affected(
        """
        UPDATE tenants_renewalslot
        SET intent = '', lease_until = NULL, lease_owner = '', attempts = attempts + 1, failure_class = %(failure)s,
            failed_at = now(),
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
        SET state = 'parked', due_at = NULL, intent = '', intent_at = NULL, lease_until = NULL, lease_owner = '',
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
        INSERT INTO tenants_renewalslot AS s (connection_id, tenant_id, registration_id, state, fence, lease_owner,
            intent, attempts, failure_class)
        SELECT id, tenant_id, registration_id, 'parked', 1, '', '', 0, '' FROM tenants_connection WHERE id = %(id)s
        ON CONFLICT (connection_id) DO UPDATE
        SET fence = s.fence + 1, state = 'parked', due_at = NULL, lease_until = NULL, lease_owner = '', intent = '',
            intent_at = NULL,
            uncertain_at = CASE WHEN s.intent = 'sending' THEN coalesce(s.uncertain_at, s.intent_at)
                                ELSE s.uncertain_at END
        RETURNING fence
        """,
        {"id": connection_id},
    )
    assert row is not None
    return int(row[0])


def lock(connection_id: UUID) -> None:
    """Hold the row, whoever has the slot, until the transaction ends. Effects: a lock, no change."""
    one_row("SELECT 1 FROM tenants_renewalslot WHERE connection_id = %(id)s FOR UPDATE", {"id": connection_id})


def schedule(connection_id: UUID, fence: int, *, due_in_seconds: float | None, keep_doubt: bool = False) -> bool:
    """Start renewing under this fence: failures forgotten, the slot due in so many seconds, None for never.

    keep_doubt: somebody else may be sending at this moment, and replace at the provider what is stored now.
    """
    return _finish(connection_id, fence, due_in_seconds, keep_doubt)


def unpark(connection_id: UUID) -> bool:
    """Make a parked slot due at once, its doubts kept: what may have been lost before may still be lost."""
    return affected(
        """
        UPDATE tenants_renewalslot SET state = 'scheduled', due_at = now(), fence = fence + 1
        WHERE connection_id = %(id)s AND state = 'parked'
        """,
        {"id": connection_id},
    )


def _fences(claims: Sequence[Claim]) -> dict[str, Any]:
    return {"ids": [claim.connection_id for claim in claims], "fences": [claim.fence for claim in claims]}


def _finish(connection_id: UUID, fence: int, due_in_seconds: float | None, keep_doubt: bool = False) -> bool:
    return affected(
        """
        UPDATE tenants_renewalslot
        SET intent = '', intent_at = NULL, uncertain_at = CASE WHEN %(doubt)s THEN uncertain_at END,
            suspect_version = NULL, lease_until = NULL, lease_owner = '', attempts = 0, failure_class = '',
            failed_at = NULL,
            due_at = now() + %(due)s * interval '1 second',
            state = CASE WHEN %(due)s::float8 IS NULL THEN 'parked' ELSE 'scheduled' END
        WHERE connection_id = %(id)s AND fence = %(fence)s
        """,
        {"id": connection_id, "fence": fence, "due": due_in_seconds, "doubt": keep_doubt},
    )
