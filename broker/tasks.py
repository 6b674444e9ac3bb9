"""Celery's entrances: ids in, one service called. Services write rows; these read rows."""

import logging

from celery import shared_task
from kombu.exceptions import OperationalError

from broker import pump
from broker.services import audit_chain, audit_retention, forecast, key_watch, revoke, sweep, tenant_end
from tenants.querysets.rows import database_now

logger = logging.getLogger(__name__)


@shared_task(name="broker.tasks.sweep_due")
def sweep_due() -> None:
    """Hint to the workers that something may be due. The database alone says what, and whose turn it is."""
    try:
        renew_due.delay()
        mint_due.delay()
        for orphan_id in revoke.due_revocations(limit=50):
            revoke_orphan.delay(orphan_id)
    except OperationalError:
        logger.warning("the queue is away; workers find what is due by themselves")


@shared_task(name="broker.tasks.renew_due")
def renew_due() -> None:
    """Wake this worker's pump; where none runs, renew here what is due."""
    pump.drain()


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


@shared_task(name="broker.tasks.forecast_ends")
def forecast_ends() -> None:
    logger.info("told of ends to come", extra={"count": forecast.tell_ends(database_now())})


@shared_task(name="broker.tasks.close_audit_days")
def close_audit_days() -> None:
    """Close the days of the audit log that are over, and delete counts of reads that are too old."""
    audit_chain.close_days(database_now(), seconds=60.0)
    audit_retention.purge_reads(database_now(), seconds=20.0)


@shared_task(name="broker.tasks.end_tenants")
def end_tenants() -> None:
    """Go on with the tenants that are being deleted, well within a task's time: the next one begins where this ends."""
    tenant_end.go_on_for(seconds=30.0)


@shared_task(name="broker.tasks.watch_keys")
def watch_keys() -> None:
    """Throttle the keys that read far more connections than they may, or than is usual for them."""
    key_watch.watch(database_now())
