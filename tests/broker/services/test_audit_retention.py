"""Counts of reads that are too old are deleted; events and closed days stay, and the chain still holds."""

from typing import Any

import pytest

from broker.services import audit_check, audit_retention
from tenants.models import AuditEvent, IssueCount
from tenants.querysets import audit as rows
from tests.broker.services.auditing import NOW, day_ago, execute, log, problems, read

__all__ = ["log"]
pytestmark = pytest.mark.django_db(transaction=True)


class TestRetention:
    @pytest.fixture(autouse=True)
    def _two_days(self, settings: Any) -> None:
        settings.AUDIT_RETENTION_DAYS = 2

    def test_old_counts_go_and_the_chain_still_holds(self, log):
        kept = read(0)
        assert audit_retention.purge_reads(NOW, seconds=60) == 2
        assert list(IssueCount.objects.all()) == [kept]
        checked = audit_check.check(NOW)
        assert (checked.problems, checked.reads_deleted_before) == ([], day_ago(2))
        told = AuditEvent.objects.latest("id")
        assert (told.action, told.detail) == ("audit.reads_purged", {"before": day_ago(2).isoformat()})
        audit_retention.purge_reads(NOW, seconds=60)
        assert AuditEvent.objects.filter(action="audit.reads_purged").count() == 1

    def test_events_stay(self, log):
        audit_retention.purge_reads(NOW, seconds=60)
        execute("DELETE FROM tenants_auditevent WHERE at < %s", rows.start_of(day_ago(2)))
        assert problems()[0] == f"{day_ago(4)}: 3 of 3 events are gone"

    def test_days_that_are_not_closed_stay(self):
        read(4)
        assert audit_retention.purge_reads(NOW, seconds=60) == 0
        assert IssueCount.objects.count() == 1

    def test_counts_that_go_before_their_time_are_missed(self, log, settings):
        audit_retention.purge_reads(NOW, seconds=60)
        settings.AUDIT_RETENTION_DAYS = 400
        execute("UPDATE tenants_auditday SET reads = 1 WHERE day = %s", day_ago(1))
        assert f"{day_ago(1)}: 1 of 1 counts of reads are gone" in problems()
