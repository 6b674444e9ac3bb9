"""Credentials that no connection holds: adopt, revoke or hold.

A token that stands for a customer's grant is never dropped; one that is made anew from what the customer typed in is.
"""

import logging

from django.db import transaction

from broker.errors import BrokerError
from broker.services import credentials, directory, schedule
from providers.errors import ProviderError
from providers.interface import REVOKES, Revokes
from providers.messages import OAuthCredential, StoredCredential
from tenants import audit
from tenants.errors import TenantsError
from tenants.models import ClientRegistration, Connection, Credential, CredentialOrphan, State
from tenants.querysets import slots

logger = logging.getLogger(__name__)


def keep_late(
    connection: Connection,
    fence: int,
    fresh: OAuthCredential,
    sent: OAuthCredential,
    life_seconds: float | None,
    chance: float,
) -> None:
    """Decide over a pair whose writer lost its fence.

    The stored refresh token is still the one that was sent: nobody else renewed, so the pair is adopted under a new
    fence. The connection was disconnected: the pair is revoked. Otherwise another line of tokens lives: it is held.
    A token that was made from what the customer typed in is simply let go: the next one costs one request.
    """
    if fresh.entered is not None:
        audit.record_for(connection, "credential.let_go", audit.SYSTEM, fence=fence)
        return
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        stored = Credential.objects.select_related("data_key").filter(connection_id=row.pk).first()
        if stored and row.state != State.DISCONNECTED and _same_line(stored, sent):
            _adopt(row, fresh, life_seconds, chance)
            return
        outcome = CredentialOrphan.Outcome.REVOKE if stored is None else CredentialOrphan.Outcome.HELD
        credentials.store_orphan(
            tenant_id=row.tenant_id, connection_id=row.pk, fence=fence, credential=fresh, outcome=outcome
        )
        audit.record_for(row, "credential.orphaned", audit.SYSTEM, fence=fence, outcome=outcome.value)
    logger.error(
        "a renewed pair lost its fence",
        extra={"connection_id": row.pk, "fence": fence, "action": outcome.value},
    )


def _same_line(stored: Credential, sent: OAuthCredential) -> bool:
    fingerprint = credentials.fingerprint(stored.data_key, sent.refresh_token)
    return fingerprint is not None and bytes(stored.refresh_fingerprint or b"") == fingerprint


def _adopt(row: Connection, fresh: OAuthCredential, life_seconds: float | None, chance: float) -> None:
    fence = slots.seize(row.pk)
    credentials.store(row, fence, fresh, life_seconds)
    due = schedule.due_in(life_seconds, chance)
    slots.schedule(row.pk, fence, due_in_seconds=None if row.state == State.SUSPENDED else due)
    audit.record_for(row, "credential.adopted", audit.SYSTEM, version=fence)


def detach(connection: Connection) -> CredentialOrphan | None:
    """Take a connection's credential away: to the orphans when the provider can revoke it, else shredded.

    Effects: rows, in the caller's transaction.
    """
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
        outcome=CredentialOrphan.Outcome.REVOKE,
    )


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
        provider.revoke(credentials.registration_value(registration), held)
    except (ProviderError, BrokerError, TenantsError) as error:
        logger.warning("tokens could not be given back", extra={"failure": type(error).__name__})
        return False
    return True
