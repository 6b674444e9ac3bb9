"""Credentials that no connection holds: adopt, revoke or hold. A token that a provider minted is never dropped."""

import logging

from django.db import transaction

from broker.services import credentials, schedule
from providers.messages import OAuthCredential
from tenants import audit
from tenants.models import Connection, Credential, CredentialOrphan, State
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
    """
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
    """Move a connection's credential to the orphans, to be revoked. Effects: rows, in the caller's transaction."""
    stored = Credential.objects.select_related("data_key").filter(connection=connection).first()
    if stored is None:
        return None
    orphan = credentials.store_orphan(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        fence=stored.version,
        credential=credentials.open_current(stored, connection.tenant_id),
        outcome=CredentialOrphan.Outcome.REVOKE,
    )
    stored.delete()
    return orphan
