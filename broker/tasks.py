"""Celery's entrances: ids in, one service called. Services write rows; these read rows."""

import logging
from uuid import UUID

from celery import shared_task
from kombu.exceptions import OperationalError

from broker.services import renew, revoke, sweep

logger = logging.getLogger(__name__)


@shared_task(name="broker.tasks.sweep_due")
def sweep_due() -> None:
    """Claim what is due and hand it out. When the queue is away the claims end with their leases, and are due again."""
    try:
        for claim in sweep.claim_due():
            renew_claimed.delay(str(claim.connection_id), claim.fence)
        mint_due.delay()
        for orphan_id in revoke.due_revocations(limit=50):
            revoke_orphan.delay(orphan_id)
    except OperationalError:
        logger.warning("the queue is away; workers find what is due by themselves")


@shared_task(name="broker.tasks.renew_claimed")
def renew_claimed(connection_id: str, fence: int) -> None:
    renew.renew_claimed(UUID(connection_id), fence)


@shared_task(name="broker.tasks.mint_due")
def mint_due() -> None:
    """Tokens for sets of scopes: each is claimed by the database as its turn comes, so nothing needs to be named."""
    sweep.mint_due(limit=50)


@shared_task(name="broker.tasks.revoke_orphan")
def revoke_orphan(orphan_id: int) -> None:
    revoke.revoke_orphan(orphan_id)


@shared_task(name="broker.tasks.purge_ended")
def purge_ended() -> None:
    logger.info("purged", extra={"count": sweep.purge_ended()})
