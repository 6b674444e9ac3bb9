"""A sign-in with another account than the connection's: its tokens wait beside the connection for somebody's word.

The connection goes on with what it holds, served and renewed as before. Staff take what waits, and the connection is
the other account's; or they turn it away. A sign-in with the right account turns it away as well, and so does time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from broker.services import credentials, orphans, outbox, states, storing
from broker.services.storing import Arrival
from providers.messages import ExternalAccount, OAuthCredential
from tenants import audit
from tenants.audit import Actor
from tenants.models import Connection, ConnectSession, CredentialOrphan, Reason, RenewalSlot, State
from tenants.querysets.rows import database_now

KEPT = timedelta(days=7)
_PARKED = CredentialOrphan.Outcome.PARKED
# A connection that has ended has nothing to go on with, and one that never was has no account to differ from.
_BESIDE = (State.CONNECTED, State.DEGRADED, State.REAUTHORIZATION_REQUIRED, State.SUSPENDED)
# What renewals report and mend by themselves: a fact of its day, not one to return to.
_PASSING = (Reason.PROVIDER_UNAVAILABLE, Reason.RATE_LIMITED, Reason.STORAGE_FAULT, Reason.GRANT_REVOKED)
_BATCH = 100


class SignInEnded(Exception):
    """What waits has ended and cannot be renewed: taken, it would serve nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Whose sign-in waits beside a connection, and until when it does."""

    issuer: str
    subject: str
    name: str
    since: datetime
    until: datetime

    @property
    def called(self) -> str:
        return self.name or self.subject


def park(arrival: Arrival) -> bool:
    """Keep the tokens of another account beside the connection they came for; False when they cannot be.

    An earlier sign-in that waits there is turned away: the last word of the customer's counts.
    Effects: rows: an orphan, the connection's state, audit and outbox events.
    """
    repaired, account = arrival.repaired, arrival.account
    if repaired is None or account is None or not isinstance(arrival.credential, OAuthCredential):
        return False
    with transaction.atomic():
        row = orphans.lock(repaired)
        if row is None or row.state not in _BESIDE:
            return False
        before = _reason_before(row)
        first = not _make_room(row, account)
        orphan = credentials.store_orphan(
            tenant_id=row.tenant_id, connection_id=row.pk, fence=0, credential=arrival.credential, outcome=_PARKED
        )
        _describe(orphan, arrival, account, before)
        detail = {"session": str(arrival.session.pk)} if arrival.session else {}
        audit.record_for(row, "authorization.account_mismatch", arrival.actor, account=account.subject, **detail)
        _tell(row, arrival.actor, first)
    return True


def _reason_before(row: Connection) -> str:
    """Why the connection was degraded before anything waited beside it."""
    earlier = _parked(row)
    if earlier is not None:
        return str(earlier.account.get("reason", ""))
    return row.reason if row.state == State.DEGRADED else ""


def _make_room(row: Connection, account: ExternalAccount) -> bool:
    """End an earlier sign-in that waits; True when one did."""
    earlier = _parked(row)
    if earlier is None:
        return False
    if (earlier.account["issuer"], earlier.account["subject"]) == (account.issuer, account.subject):
        # Not revoked: at some providers that would end the account's newer tokens as well.
        orphans.supersede(earlier, row)
    else:
        orphans.to_be_revoked(row, _PARKED)
    return True


def _describe(orphan: CredentialOrphan, arrival: Arrival, account: ExternalAccount, before: str) -> None:
    life = arrival.life_seconds
    orphan.account = {
        "issuer": account.issuer,
        "subject": account.subject,
        "name": account.name,
        "asked": list(arrival.asked),
        "session": str(arrival.session.pk) if arrival.session else "",
        "reason": before,
    }
    orphan.expires_at = None if life is None else database_now() + timedelta(seconds=life)
    orphan.save(update_fields=["account", "expires_at"])


def _tell(row: Connection, actor: Actor, first: bool) -> None:
    """A connection in use is degraded by it; one that is not stays as it is, and only the event tells."""
    if row.state in states.LIVE:
        states.move(row, State.DEGRADED, Reason.ACCOUNT_MISMATCH, actor=actor, only_from=states.LIVE)
    elif first:
        told: dict[str, Any] = {"provider": row.provider_id, "state": row.state, "reason": row.reason}
        outbox.write(states.MISMATCH, tenant_id=row.tenant_id, connection_id=row.pk, **told)


def waiting(connection: Connection) -> Waiting | None:
    """Return what waits beside a connection. Effects: none; nothing sealed is read."""
    rows = CredentialOrphan.objects.filter(connection_id=connection.pk, outcome=_PARKED).order_by("-pk")
    found = rows.values_list("account", "created_at").first()
    return _waiting(*found) if found else None


def of_session(session: ConnectSession) -> Waiting | None:
    """Return whose sign-in the link of this session has led to, as long as it waits."""
    if session.connection_id is None:
        return None
    rows = CredentialOrphan.objects.filter(connection_id=session.connection_id, outcome=_PARKED)
    found = rows.filter(account__session=str(session.pk)).values_list("account", "created_at").first()
    return _waiting(*found) if found else None


def _waiting(account: dict[str, str], since: datetime) -> Waiting:
    return Waiting(
        issuer=account["issuer"],
        subject=account["subject"],
        name=account["name"],
        since=since,
        until=since + KEPT,
    )


def take(connection: Connection, *, actor: Actor) -> Waiting | None:
    """Make the connection the other account's. Returns whose it is now; None when nothing waits (any more).

    Raises: TenantEnded, CompanyTaken, SignInEnded, SealBroken, KeyUnavailable; nothing has changed then.
    Effects: one transaction: the old credential goes to those that are revoked, then as `storing` says.
    """
    with transaction.atomic():
        expected = waiting(connection)
        if expected is None:
            return None
        # Tenant, account, slot: in the order in which whoever connects takes them.
        storing.hold_tenant(connection.tenant_id)
        account = ExternalAccount(issuer=expected.issuer, subject=expected.subject, name=expected.name)
        storing.hold_account(connection.tenant_id, connection.registration, account)
        row, orphan = orphans.lock(connection), _parked(connection)
        if row is None or orphan is None or _waiting(orphan.account, orphan.created_at) != expected:
            return None
        _hand_over(row, orphan, account, actor)
    return expected


def _hand_over(row: Connection, orphan: CredentialOrphan, account: ExternalAccount, actor: Actor) -> None:
    arrival = _arrival(row, orphan, account, actor)
    orphans.detach(row)
    orphan.delete()
    storing.store_connected(arrival)
    if link := orphan.account["session"]:
        ConnectSession.objects.filter(pk=link).update(outcome="connected")
    audit.record_for(row, "staff.account_taken", actor, account=account.subject, before=row.external_subject)


def _parked(connection: Connection) -> CredentialOrphan | None:
    rows = CredentialOrphan.objects.select_related("data_key").select_for_update(of=("self",))
    return rows.filter(connection_id=connection.pk, outcome=_PARKED).order_by("-pk").first()


def _arrival(row: Connection, orphan: CredentialOrphan, account: ExternalAccount, actor: Actor) -> Arrival:
    ends, credential = orphan.expires_at, credentials.open_orphan(orphan)
    left = None if ends is None else (ends - database_now()).total_seconds()
    if left is not None and left <= 0 and credential.refresh_token is None and credential.entered is None:
        raise SignInEnded
    return Arrival(
        tenant_id=row.tenant_id,
        registration=row.registration,
        repaired=row,
        asked=tuple(orphan.account.get("asked", [])),
        credential=credential,
        account=account,
        # One that has ended meanwhile is renewed at once.
        life_seconds=None if left is None else max(left, 1.0),
        actor=actor,
    )


def turn_away(connection: Connection, *, actor: Actor) -> bool:
    """Give back what waits beside a connection; False when nothing does (any more).

    Effects: rows: the provider is told at the next sweep; the connection is what it was before, if nothing has happened
    to it since.
    """
    with transaction.atomic():
        row = orphans.lock(connection)
        parked = _parked(connection)
        if row is None or parked is None:
            return False
        orphans.to_be_revoked(row, _PARKED)
        audit.record_for(row, "authorization.turned_away", actor, account=parked.account["subject"])
        if row.reason == Reason.ACCOUNT_MISMATCH and row.state == State.DEGRADED:
            states.move(row, *_before(row, parked.account.get("reason", "")), actor=actor, settled=True)
    return True


def _before(row: Connection, reason: str) -> tuple[State, Reason]:
    if row.scopes_granted and set(row.scopes_asked) - set(row.scopes_granted):
        return State.DEGRADED, Reason.SCOPE_MISSING
    failing = RenewalSlot.objects.filter(pk=row.pk).exclude(failure_class="").exists()
    stands = reason and reason not in (Reason.SCOPE_MISSING, Reason.ACCOUNT_MISMATCH)
    if stands and (failing or reason not in _PASSING):
        return State.DEGRADED, Reason(reason)
    return State.CONNECTED, Reason.NONE


def end_unattended() -> int:
    """Turn away what has waited for a week. Returns how many."""
    old = CredentialOrphan.objects.filter(outcome=_PARKED, created_at__lt=Now() - KEPT).order_by("created_at")
    rows = Connection.objects.in_bulk(list(old.values_list("connection_id", flat=True)[:_BATCH]))
    return sum(turn_away(row, actor=audit.SYSTEM) for row in rows.values())
