"""Credentials that no connection holds: adopt, revoke or hold.

A token that stands for a customer's grant is never dropped; one that is made anew from what the customer typed in is.
Everybody who locks more than one row of a connection locks in one order: slot, connection, orphans.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from broker.errors import BrokerError
from broker.services import client_secrets, credentials, directory, schedule, states
from providers.errors import ProviderError
from providers.interface import REVOKES, Revokes
from providers.messages import OAuthCredential, StoredCredential
from tenants import audit
from tenants.errors import TenantsError
from tenants.models import ClientRegistration, Connection, Credential, CredentialOrphan, RenewalSlot, State
from tenants.querysets import slots

logger = logging.getLogger(__name__)
_Outcome = CredentialOrphan.Outcome
_HELD_FOR = timedelta(days=1)
_BATCH = 100
_ENDED = (_Outcome.REVOKE, _Outcome.REVOKED, _Outcome.GIVEN_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Late:
    """A pair whose writer lost its fence."""

    fence: int
    fresh: OAuthCredential
    sent: OAuthCredential
    life_seconds: float | None
    chance: float
    sent_version: int | None


def keep_late(
    connection: Connection,
    fence: int,
    fresh: OAuthCredential,
    sent: OAuthCredential,
    life_seconds: float | None,
    chance: float,
    sent_version: int | None = None,
) -> None:
    """Decide over a pair whose writer lost its fence; said twice, it is decided once.

    The stored refresh token is still the one that was sent: nobody else renewed, so the pair is adopted under a new
    fence. The connection is disconnected, or has been since: the pair is revoked. Otherwise another line of tokens
    lives: it is held. A token that was made from what the customer typed in is simply let go: the next one costs one
    request.

    Shape:  sent_version is the version of the credential that was sent, where that is known.
    """
    if fresh.entered is not None:
        audit.record_for(connection, "credential.let_go", audit.SYSTEM, fence=fence)
        return
    late = _Late(
        fence=fence, fresh=fresh, sent=sent, life_seconds=life_seconds, chance=chance, sent_version=sent_version
    )
    with transaction.atomic():
        row = lock(connection)
        if row is not None:
            _decide(row, late)
            return
    # Gone with its tenant: no row can hold the pair any more, nor would a key be left to open it.
    told = give_back(connection.registration, fresh)
    logger.error("a renewed pair has no connection", extra={"connection_id": connection.pk, "action": f"told: {told}"})


def lock(connection: Connection) -> Connection | None:
    """Return the row as it stands, held until the transaction ends; None when it is deleted."""
    slots.lock(connection.pk)
    return Connection.objects.select_for_update(no_key=True).filter(pk=connection.pk).first()


def _decide(row: Connection, late: _Late) -> None:
    if CredentialOrphan.objects.filter(connection_id=row.pk, fence=late.fence, account={}).exists():
        return
    stored = Credential.objects.select_related("data_key").filter(connection_id=row.pk).first()
    if stored is not None and row.state != State.DISCONNECTED:
        if _same_line(stored, late.sent):
            _adopt(row, late)
            return
        if _same_line(stored, late.fresh):
            # Whoever sent the same refresh token again was given the same answer, and has stored it.
            return
    ended = stored is None or row.state == State.DISCONNECTED or _disconnected_since(row, late.sent_version)
    _set_aside(row, late, _Outcome.REVOKE if ended else _Outcome.HELD)


def _set_aside(row: Connection, late: _Late, outcome: CredentialOrphan.Outcome) -> None:
    credentials.store_orphan(
        tenant_id=row.tenant_id, connection_id=row.pk, fence=late.fence, credential=late.fresh, outcome=outcome
    )
    audit.record_for(row, "credential.orphaned", audit.SYSTEM, fence=late.fence, outcome=outcome.value)
    facts = {"connection_id": row.pk, "fence": late.fence, "action": outcome.value}
    logger.error("a renewed pair lost its fence", extra=facts)


def _disconnected_since(row: Connection, sent_version: int | None) -> bool:
    """Whether what was sent has been taken from the connection to be revoked, though it may hold something new now."""
    if sent_version is None:
        return False
    return CredentialOrphan.objects.filter(connection_id=row.pk, fence=sent_version, outcome__in=_ENDED).exists()


def _same_line(stored: Credential, held: OAuthCredential) -> bool:
    fingerprint = credentials.fingerprint(stored.data_key, held.refresh_token)
    return fingerprint is not None and bytes(stored.refresh_fingerprint or b"") == fingerprint


def _adopt(row: Connection, late: _Late) -> None:
    doubt = _sent_since(row, late)
    fence = slots.seize(row.pk)
    credentials.store(row, fence, late.fresh, late.life_seconds)
    slots.schedule(row.pk, fence, due_in_seconds=_due_in(row, late), keep_doubt=doubt)
    audit.record_for(row, "credential.adopted", audit.SYSTEM, version=fence)
    # The provider has just accepted what it was believed to have ended.
    states.move(row, State.CONNECTED, only_from=(State.REAUTHORIZATION_REQUIRED,))


def _sent_since(row: Connection, late: _Late) -> bool:
    """Whether somebody after the late writer may have sent what it sent, and replaced its pair at the provider."""
    fence, intent = RenewalSlot.objects.values_list("fence", "intent").get(pk=row.pk)
    # One step on, with nothing out, is whoever took the fence away: nobody else can have sent since.
    return fence > late.fence + 1 or intent == "sending"


def _due_in(row: Connection, late: _Late) -> float | None:
    if row.state == State.SUSPENDED:
        return None
    if row.state == State.REAUTHORIZATION_REQUIRED:
        # At once: a second use of a refresh token may have ended the grant, and then the customer has to know.
        return 0.0
    traits = directory.provider(row.provider_id).traits(credentials.registration_without_secrets(row.registration))
    return schedule.due_in(late.life_seconds, late.chance, traits)


def detach(connection: Connection) -> CredentialOrphan | None:
    """Take a connection's credential away: to the orphans when the provider can revoke it, else shredded.

    Effects: rows, in the caller's transaction.
    """
    try:
        with transaction.atomic():
            return _detach(connection)
    except TenantsError:
        # A credential that cannot be opened cannot be revoked either, but it must not keep the customer connected.
        Credential.objects.filter(connection=connection).delete()
        audit.record_for(connection, "credential.unreadable", audit.SYSTEM)
        return None


def _detach(connection: Connection) -> CredentialOrphan | None:
    stored = Credential.objects.select_related("data_key").filter(connection=connection).first()
    if stored is None:
        return None
    held = credentials.open_current(stored, connection.tenant_id)
    stored.delete()
    if not can_be_revoked(connection.provider_id, held):
        audit.record_for(connection, "credential.shredded", audit.SYSTEM, version=stored.version)
        return None
    assert isinstance(held, OAuthCredential)
    return credentials.store_orphan(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        fence=stored.version,
        credential=held,
        outcome=_Outcome.REVOKE,
    )


def to_be_revoked(connection: Connection, *outcomes: CredentialOrphan.Outcome) -> list[int]:
    """Give back what waits beside a connection with one of these outcomes. Returns the ids of those orphans.

    Effects: rows, in the caller's transaction; the provider is told at the next sweep.
    """
    waiting = CredentialOrphan.objects.filter(connection_id=connection.pk, outcome__in=outcomes)
    ids = list(waiting.order_by("pk").select_for_update().values_list("pk", flat=True))
    # As if it came now: the days for which the provider is told are counted from here.
    revoke = {"outcome": _Outcome.REVOKE, "due_at": Now(), "created_at": Now(), "attempts": 0}
    CredentialOrphan.objects.filter(pk__in=ids).update(**revoke)
    return ids


def let_go_of_superseded() -> int:
    """Let go of held pairs whose connection has been renewed, or authorized, since. Returns how many.

    They are not revoked: whether that ends only their own line is known of no provider. A day is left for people to
    look; a pair whose connection has not been renewed since stays, for it may be the one that works.
    """
    held = CredentialOrphan.objects.filter(outcome=_Outcome.HELD, created_at__lt=Now() - _HELD_FOR)
    renewed = Credential.objects.filter(connection_id=OuterRef("connection_id"), issued_at__gt=OuterRef("created_at"))
    ids = list(held.filter(Exists(renewed)).order_by("created_at").values_list("pk", flat=True)[:_BATCH])
    return sum(_let_go(orphan_id) for orphan_id in ids)


@transaction.atomic
def _let_go(orphan_id: int) -> bool:
    orphan = CredentialOrphan.objects.select_for_update().filter(pk=orphan_id, outcome=_Outcome.HELD).first()
    row = Connection.objects.filter(pk=orphan.connection_id).first() if orphan else None
    if orphan is None or row is None:
        return False
    supersede(orphan, row)
    logger.warning("a held pair was let go", extra={"connection_id": row.pk, "fence": orphan.fence})
    return True


def supersede(orphan: CredentialOrphan, connection: Connection) -> None:
    """Shred tokens that others have taken the place of, and keep the fact. Effects: two rows."""
    CredentialOrphan.objects.filter(pk=orphan.pk).update(outcome=_Outcome.SUPERSEDED, sealed=b"")
    audit.record_for(connection, "credential.superseded", audit.SYSTEM, fence=orphan.fence)


def can_be_revoked(provider_id: str, held: StoredCredential) -> bool:
    """Whether the provider can be told that a credential has ended; yes as long as nobody knows better."""
    if not isinstance(held, OAuthCredential):
        return False
    try:
        return REVOKES in directory.provider(provider_id).capabilities
    except BrokerError:
        return True


def give_back(registration: ClientRegistration, held: StoredCredential) -> bool:
    """Tell the provider that tokens are not used, where no connection could remember to; False when it cannot be told.

    Effects: at most one POST a token; whatever fails, fails quietly, for the tokens are nowhere any more.
    """
    try:
        provider = directory.provider(registration.provider_id)
        if REVOKES not in provider.capabilities or not isinstance(provider, Revokes):
            return False
        if not isinstance(held, OAuthCredential):
            return False
        provider.revoke(client_secrets.opened(registration), held)
    except (ProviderError, BrokerError, TenantsError) as error:
        logger.warning("tokens could not be given back", extra={"failure": type(error).__name__})
        return False
    return True
