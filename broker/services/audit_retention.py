"""Delete counts of reads that are too old. Audit events stay: the database itself refuses to delete them."""

import logging
import time
from datetime import UTC, datetime, timedelta

from django.conf import settings

from tenants import audit as log
from tenants.models import AuditDay
from tenants.querysets import audit, issue_counts

logger = logging.getLogger(__name__)
_AT_ONCE = 10_000


def purge_reads(now: datetime, *, seconds: float) -> int:
    """Delete what was counted before the oldest day that is kept. Returns how many rows.

    Only days that are closed: their digests stay, so that the chain can be followed, and newer days be checked.
    Effects: rows; before the first of them goes, one audit event that says from which day on reads are there.
    """
    before = now.astimezone(UTC).date() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    if not AuditDay.objects.filter(day=before - timedelta(days=1)).exists():
        return 0
    known = audit.reads_purged_before()
    if known is None or known < before:
        log.record("audit.reads_purged", log.SYSTEM, tenant_id=None, detail={"before": before.isoformat()})
    until, deleted = time.monotonic() + seconds, 0
    while time.monotonic() < until and (gone := issue_counts.purge(audit.start_of(before), limit=_AT_ONCE)):
        deleted += gone
    if deleted:
        logger.info("old counts of reads deleted", extra={"count": deleted})
    return deleted
