"""A tenant's audit log as a file: all of its own, nothing of anybody else's, and signed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker.errors import TenantNotFound
from broker.services import audit_export, keys
from broker.services.audit_export import Wanted
from tenants import audit
from tenants.models import AuditEvent, Caller, IssueCount, Tenant
from tests import people

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.fixture
def tenants(settled) -> tuple[Tenant, Tenant]:
    return settled.aalto, settled.birch


def export(tenant: Tenant, **more: Any) -> list[str]:
    wanted = Wanted(tenant_id=tenant.pk, **more)
    return list(audit_export.export(wanted, actor=audit.staff("anna", "10.1.1.1"), now=NOW))


def records(lines: list[str], kind: str) -> list[dict[str, Any]]:
    return [found for line in lines if (found := json.loads(line))["type"] == kind]


def read(tenant: Tenant, *, hour: datetime = HOUR, version: int = 1) -> IssueCount:
    return IssueCount.objects.create(
        connection_id=tenant.pk,
        tenant_id=tenant.pk,
        caller_id=people.caller_of("aalto-service").pk,
        key_id="k1",
        source="10.0.0.7",
        on_behalf_of="user-1",
        version=version,
        fingerprint=b"\x0f" * 16,
        hour=hour,
        reads=7,
        first_at=hour,
        last_at=hour,
    )


class TestWhatGoesOut:
    def test_the_tenants_own_events_in_order_and_nobody_elses(self, tenants):
        ours, theirs = tenants
        audit.record("connection.degraded", audit.SYSTEM, tenant_id=theirs.pk, detail={"error": "theirs"})
        audit.record("caller.created", audit.staff("anna"), tenant_id=None, detail={"caller": "platform"})
        audit.record("connection.degraded", audit.SYSTEM, tenant_id=ours.pk, detail={"error": "ours"})
        lines = export(ours)
        found = records(lines, "event")
        assert [each["action"] for each in found] == ["tenant.created", "connection.degraded", "audit.exported"]
        assert "theirs" not in "".join(lines)
        assert "platform" not in "".join(lines)
        assert "birch" not in "".join(lines)
        assert found[1]["sentence"] == "The connection works, but something is wrong. The provider said: ours."
        assert records(lines, "end")[0]["events"] == 3

    def test_staff_is_staff_and_the_others_have_names_and_addresses(self, tenants):
        ours, _ = tenants
        audit.record("connection.suspended", audit.staff("anna", "10.1.1.1"), tenant_id=ours.pk)
        audit.record("feedback.reported", audit.caller("invoicing", "10.0.0.7", "user-1"), tenant_id=ours.pk)
        with audit.customer_at("2001:db8::1"):
            audit.record("authorization.started", audit.CUSTOMER, tenant_id=ours.pk)
        lines = export(ours)
        assert [(each["actor"], each["name"], each["source"]) for each in records(lines, "event")[1:-1]] == [
            ("staff", "", ""),
            ("caller", "invoicing", "10.0.0.7"),
            ("customer", "", "2001:db8::1"),
        ]
        assert [each["on_behalf_of"] for each in records(lines, "event")[1:-1]] == ["", "user-1", ""]
        assert "anna" not in "".join(lines)
        assert "10.1.1.1" not in "".join(lines)

    def test_what_an_event_tells_of_another_tenant_or_of_staff_stays_inside(self, tenants):
        ours, theirs = tenants
        told = {"provider": "p", "held_by": str(theirs.pk), "user": "anna", "something_new": "unknown"}
        audit.record("authorization.company_taken", audit.CUSTOMER, tenant_id=ours.pk, detail=told)
        event = records(export(ours), "event")[1]
        assert event["detail"] == {"provider": "p"}
        assert str(theirs.pk) not in event["sentence"]

    def test_reads_only_when_they_are_asked_for(self, tenants):
        ours, theirs = tenants
        read(ours)
        read(theirs)
        Caller.objects.filter(name="aalto-service").update(purpose="invoices")
        assert records(export(ours), "reads") == []
        lines = export(ours, reads=True)
        assert records(lines, "reads") == [
            {
                "type": "reads",
                "hour": HOUR.isoformat(),
                "connection": str(ours.pk),
                "caller": "aalto-service",
                "key_id": "k1",
                "purpose": "invoices",
                "source": "10.0.0.7",
                "on_behalf_of": "user-1",
                "version": 1,
                "fingerprint": "0f" * 16,
                "reads": 7,
                "first_at": HOUR.isoformat(),
                "last_at": HOUR.isoformat(),
            }
        ]
        assert records(lines, "end")[0]["reads"] == 1

    def test_days_are_utc_and_both_are_included(self, tenants):
        ours, _ = tenants
        for hours in (-1, 0, 23, 24):
            read(ours, hour=datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=hours))
        day = HOUR.date()
        found = records(export(ours, reads=True, start=day, end=day), "reads")
        assert [each["hour"][:13] for each in found] == ["2026-11-20T00", "2026-11-20T23"]
        assert records(export(ours, end=day), "event") == []

    def test_the_export_itself_is_recorded(self, tenants):
        export(tenants[0], start=HOUR.date())
        event = AuditEvent.objects.latest("id")
        assert (event.action, event.actor, event.source) == ("audit.exported", "anna", "10.1.1.1")
        assert (event.tenant_id, event.detail) == (tenants[0].pk, {"reads": False, "start": "2026-11-20"})


class TestManyRows:
    @pytest.mark.parametrize("page", [1, 2, 3, 1000])
    def test_whatever_the_pages_each_row_goes_out_once(self, tenants, monkeypatch, page):
        ours, _ = tenants
        monkeypatch.setattr(audit_export, "_PAGE", page)
        for version in range(5):
            read(ours, version=version, hour=HOUR + timedelta(hours=version // 3))
            audit.record("credential.renewed", audit.SYSTEM, tenant_id=ours.pk, detail={"version": version})
        lines = export(ours, reads=True)
        assert [each["version"] for each in records(lines, "reads")] == list(range(5))
        renewed = [each for each in records(lines, "event") if each["action"] == "credential.renewed"]
        assert [each["detail"]["version"] for each in renewed] == list(range(5))

    def test_nothing_is_read_before_it_is_asked_for(self, tenants, monkeypatch):
        ours, _ = tenants
        monkeypatch.setattr(audit_export, "_PAGE", 10)
        for _ in range(40):
            audit.record("credential.renewed", audit.SYSTEM, tenant_id=ours.pk)
        lines = audit_export.export(Wanted(tenant_id=ours.pk), actor=audit.SYSTEM, now=NOW)
        with CaptureQueriesContext(database) as queries:
            for _ in range(6):
                next(lines)
        assert len([query for query in queries if "tenants_auditevent" in (query["sql"] or "")]) == 1


class TestTheSignature:
    def test_an_export_that_is_whole_is_recognised_after_a_rotation_of_keys_too(self, tenants):
        lines = export(tenants[0])
        assert audit_export.problem_of(lines) == ""
        keys.renew_data_keys()
        assert audit_export.problem_of(lines) == ""

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda lines: lines[:-1], "the last line is missing"),
            (lambda lines: [*lines[:1], *lines[2:]], "not those that were signed"),
            (lambda lines: [*lines[1:2], *lines[0:1], *lines[2:]], "not those that were signed"),
            (lambda lines: [lines[0].replace("export", "Export", 1), *lines[1:]], "not those that were signed"),
            (lambda lines: [*lines, lines[0]], "something after the last line"),
            (lambda lines: [*lines[:-1], lines[-1].replace('"key": "', '"key": "0')], "a key that this broker"),
        ],
    )
    def test_one_that_was_changed_is_told(self, tenants, change: Callable[[list[str]], list[str]], sentence: str):
        assert sentence in audit_export.problem_of(change(export(tenants[0])))


class TestTheCommand:
    def test_writes_a_file_for_its_owner_alone(self, tenants, tmp_path: Path):
        file = tmp_path / "aalto.jsonl"
        call_command("export_audit", tenant="aalto", output=str(file), reads=True)
        assert file.stat().st_mode & 0o777 == 0o600
        assert len(file.read_text().splitlines()) == 4
        call_command("verify_audit", export=str(file))
        file.write_text(file.read_text().replace("tenant.created", "tenant.changed"))
        with pytest.raises(CommandError, match="the export is not as it was made: its lines"):
            call_command("verify_audit", export=str(file))

    def test_writes_to_stdout(self, tenants, capsys):
        call_command("export_audit", tenant="aalto", output="-")
        assert audit_export.problem_of(capsys.readouterr().out.splitlines(keepends=True)) == ""

    def test_refuses_what_it_cannot_do(self, tenants, tmp_path: Path):
        there = tmp_path / "there"
        there.write_text("kept")
        before = AuditEvent.objects.count()
        for options, sentence in (
            ({"tenant": "nobody", "output": "-"}, "no tenant has the slug 'nobody'"),
            ({"tenant": "aalto", "output": str(there)}, "--output cannot be written: File exists"),
            ({"tenant": "aalto", "output": "-", "json": True}, "do not go together"),
            ({"tenant": "aalto", "output": "-", "start": "now"}, "not a day like"),
        ):
            with pytest.raises(CommandError, match=sentence):
                call_command("export_audit", **options)
        assert there.read_text() == "kept"
        assert AuditEvent.objects.count() == before


def test_a_deleted_tenant_is_named_by_its_id(tenants):
    gone, absent = "6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f00", "6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f01"
    audit.record("tenant.deleted", audit.SYSTEM, tenant_id=gone)
    assert str(audit_export.tenant_id_of(gone)) == gone
    with pytest.raises(TenantNotFound):
        audit_export.tenant_id_of(absent)
