"""The audit log at the support desk: from where somebody acted, who read what, and the file for a tenant's auditors."""

import json

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from broker.services import audit_export, callers, counts, issue
from tenants import audit
from tenants.models import AuditEvent, Connection, IssueCount
from tenants.querysets import hand_out
from tenants.querysets.hand_out import Named
from tests.broker.admin.test_verbs import text
from tests.people import People


def page_of(connection: Connection) -> str:
    return reverse("admin:tenants_connection_change", args=[connection.pk])


def test_staff_act_from_an_address(root: Client, connection: Connection) -> None:
    root.get(page_of(connection), REMOTE_ADDR="192.0.2.77")
    assert AuditEvent.objects.get(action="staff.viewed").source == "192.0.2.77"
    assert "192.0.2.77" in text(root.get(reverse("admin:tenants_auditevent_changelist")))


def test_a_connections_page_says_who_read_which_version_from_where_and_for_whom(
    root: Client, connection: Connection, settled: People
) -> None:
    presented = callers.parse(f"Bearer {settled.aalto_key}", "10.0.0.7", "user-1")
    row = hand_out.for_token(presented.key_id, Named(connection.id))
    assert row is not None
    issue.count(presented, row, issue.opened(row))
    counts.reads.flush()
    version = IssueCount.objects.get().version
    shown = text(root.get(page_of(connection)))
    assert f'aalto-service: 1 time<div class="small-print">version {version}, from 10.0.0.7, for user-1, key' in shown
    assert presented.key_id in shown


def test_the_log_says_for_whom_a_service_acted(root: Client, settled: People) -> None:
    audit.record("connection.suspended", audit.caller("payroll", "10.0.0.7", "<user>"), tenant_id=settled.aalto.pk)
    shown = root.get(reverse("admin:tenants_auditevent_changelist"))
    assert b"Service payroll for &lt;user&gt;" in shown.content


class TestTheExport:
    def test_is_a_file_of_lines_for_whoever_has_the_right(
        self, support: Client, supporter, root: Client, connection: Connection, settled: People
    ) -> None:
        address = reverse("admin:tenants_tenant_export", args=[settled.aalto.pk])
        change = reverse("admin:tenants_tenant_change", args=[settled.aalto.pk])
        assert support.get(address).status_code == support.post(address).status_code == 403
        assert address not in text(support.get(change))
        assert not AuditEvent.objects.filter(action="audit.exported").exists()
        supporter.user_permissions.add(Permission.objects.get(codename="export_audit"))
        assert address in text(support.get(change))
        assert "Export what happened to Aalto Oy" in text(support.get(address))
        answer = support.post(address, {"reads": "on"})
        assert answer["Content-Disposition"].startswith('attachment; filename="audit-aalto-')
        lines = b"".join(answer.streaming_content).decode().splitlines(keepends=True)
        assert audit_export.problem_of(lines) == ""
        assert {"connection.connected", "audit.exported"} <= {json.loads(line).get("action") for line in lines}
        event = AuditEvent.objects.get(action="audit.exported")
        assert (event.actor, event.source, event.tenant_id) == ("support-ben", "127.0.0.1", settled.aalto.pk)

    def test_refuses_a_day_that_is_none(self, root: Client, settled: People) -> None:
        address = reverse("admin:tenants_tenant_export", args=[settled.aalto.pk])
        assert "Enter a valid date" in text(root.post(address, {"start": "yesterday"}))
        assert not AuditEvent.objects.filter(action="audit.exported").exists()

    def test_of_a_tenant_that_is_not_there_is_not_found(self, root: Client, settled: People) -> None:
        absent = reverse("admin:tenants_tenant_export", args=["6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f00"])
        assert root.get(absent).status_code == 404
