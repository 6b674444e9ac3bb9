"""Disconnect: local use stops at once; the provider is told now or, when it does not answer, later."""

from datetime import timedelta
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from broker.errors import BrokerError
from broker.services import client_secrets, credentials, directory, orphans, schedule, states
from providers.errors import ProviderError, UnsupportedOperation
from providers.interface import REVOKES, Revokes
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import Connection, CredentialOrphan, MintedToken, Reason, State
from tenants.querysets import slots

Revocation = bool | Literal["pending"]
_GIVE_UP_AFTER = timedelta(days=7)


def disconnect(connection: Connection, *, actor: Actor) -> Revocation:
    """End a connection and return what the provider knows of it.

    Effects: as end_here; then one attempt to revoke, where the provider can.
    """
    for orphan_id in end_here(connection, actor=actor):
        revoke_orphan(orphan_id)
    return revocation_of(connection.id)


def end_here(connection: Connection, *, actor: Actor) -> list[int]:
    """End a connection without asking anybody. Returns the orphans that the provider is told of at the next sweep.

    Effects: fence bumped first, so that a renewal in flight cannot bring the connection back; the credential, whatever
    waits beside it and all tokens made from it leave the connection in the same transaction.
    """
    with transaction.atomic():
        slots.seize(connection.id)
        orphan = orphans.detach(connection)
        MintedToken.objects.filter(connection=connection).delete()
        states.move(connection, State.DISCONNECTED, actor=actor)
        waiting = orphans.to_be_revoked(connection, CredentialOrphan.Outcome.PARKED, CredentialOrphan.Outcome.HELD)
    return [*([orphan.pk] if orphan else []), *waiting]


def revocation_of(connection_id: UUID) -> Revocation:
    """Return True when the provider has confirmed, "pending" while it is still to be told, else False.

    False is also for what a customer typed in: there is nothing that we could tell the provider.
    """
    outcomes = set(CredentialOrphan.objects.filter(connection_id=connection_id).values_list("outcome", flat=True))
    if CredentialOrphan.Outcome.REVOKE in outcomes:
        return "pending"
    return CredentialOrphan.Outcome.REVOKED in outcomes


def suspend(connection: Connection, *, actor: Actor) -> None:
    """Stop handing out and renewing, keep the credential."""
    with transaction.atomic():
        slots.seize(connection.id)
        states.move(connection, State.SUSPENDED, Reason.STAFF, actor=actor, only_from=states.LIVE)


def resume(connection: Connection, *, actor: Actor) -> bool:
    """Undo suspend: the connection is renewed at the next sweep. False when it is not suspended (any more)."""
    with transaction.atomic():
        # Before the connection, as everybody does: two who lock in two orders wait for each other.
        slots.lock(connection.id)
        waits = CredentialOrphan.objects.filter(connection_id=connection.pk, outcome=CredentialOrphan.Outcome.PARKED)
        after = (State.DEGRADED, Reason.ACCOUNT_MISMATCH) if waits.exists() else (State.CONNECTED, Reason.NONE)
        if not states.move(connection, *after, actor=actor, only_from=(State.SUSPENDED,)):
            return False
        slots.unpark(connection.id)
    return True


def due_revocations(limit: int) -> list[int]:
    """Return ids of orphans that the provider should be told of now."""
    rows = CredentialOrphan.objects.filter(outcome=CredentialOrphan.Outcome.REVOKE, due_at__lte=Now())
    return list(rows.order_by("due_at").values_list("pk", flat=True)[:limit])


def revoke_orphan(orphan_id: int) -> bool:
    """Tell the provider that a credential has ended; True when it knows. Effects: one POST a token, one row."""
    orphan = (
        CredentialOrphan.objects.select_related("data_key")
        .filter(pk=orphan_id, outcome=CredentialOrphan.Outcome.REVOKE)
        .first()
    )
    if orphan is None or not _claim(orphan):
        return False
    connection = Connection.objects.select_related("registration__data_key").get(pk=orphan.connection_id)
    try:
        _tell(connection, orphan)
    except UnsupportedOperation:
        return _ended(connection, orphan, CredentialOrphan.Outcome.GIVEN_UP)
    except (ProviderError, BrokerError, TenantsError):
        if timezone.now() - orphan.created_at > _GIVE_UP_AFTER:
            return _ended(connection, orphan, CredentialOrphan.Outcome.GIVEN_UP)
        return False
    return _ended(connection, orphan, CredentialOrphan.Outcome.REVOKED)


def _tell(connection: Connection, orphan: CredentialOrphan) -> None:
    provider = directory.provider(connection.provider_id)
    if not isinstance(provider, Revokes):
        raise UnsupportedOperation(provider_id=provider.id, operation=REVOKES, supported=provider.capabilities)
    provider.revoke(client_secrets.opened(connection.registration), credentials.open_orphan(orphan))


def _claim(orphan: CredentialOrphan) -> bool:
    """Set the next attempt before this one: two workers do not revoke at once, and a crash only delays."""
    wait = timedelta(seconds=30.0 + schedule.backoff(orphan.attempts, 1.0))
    rows = CredentialOrphan.objects.filter(pk=orphan.pk, attempts=orphan.attempts)
    return bool(rows.update(attempts=F("attempts") + 1, due_at=Now() + wait))


def _ended(connection: Connection, orphan: CredentialOrphan, outcome: CredentialOrphan.Outcome) -> bool:
    """Shred the tokens and keep the fact."""
    with transaction.atomic():
        CredentialOrphan.objects.filter(pk=orphan.pk).update(outcome=outcome, sealed=b"")
        audit.record_for(connection, f"credential.{outcome.value}", audit.SYSTEM, fence=orphan.fence)
    return outcome is CredentialOrphan.Outcome.REVOKED
