"""Metrics: what they say of rows that are there, for whom, and how often the database is asked."""

import re
from datetime import UTC, timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from broker.services import escrow_file
from broker.services import metrics as service
from broker.services.metrics import METRICS, Metrics
from broker.services.policy import Grant
from tenants.models import AuditDay, Caller, OutboxEvent, RegistrationGate, RenewalSlot
from tenants.querysets import figures
from tenants.querysets.rows import database_now
from tests import people
from tests.fakes.broker import PROJECT

DUE = "UPDATE tenants_renewalslot SET due_at = now() - interval '90 seconds', uncertain_at = now(), {lease}"


DIGESTS = ("previous", "events_digest", "reads_digest", "digest")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fresh(monkeypatch):
    """The process's metrics as if nobody had asked yet, and their clock."""
    clock = Clock()
    monkeypatch.setattr("broker.api.metrics.metrics", Metrics(clock))
    return clock


@pytest.fixture
def operator(settled, fresh) -> str:
    return people.new_key("prometheus", None, ("metrics.read",))


def scraped(call, key) -> dict[tuple[str, ...], float]:
    """The values by name and labels in the order of their names, as Prometheus's own parser reads them."""
    answer = call("GET", "/metrics", key)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.content.decode())
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *dict(sorted(sample.labels.items())).values()): sample.value for sample in samples}


def _of_sandbox(found: dict[tuple[str, ...], float], *names: str) -> list[float]:
    return [found[f"broker_{name}", people.PROVIDER] for name in names]


def run(sql: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(sql)


class TestWhatTheySay:
    def test_connections_by_what_they_stand_at(self, settled, connect, call, operator):
        row = connect()
        row.state, row.reason = "degraded", "provider_unavailable"
        row.save()
        found = scraped(call, operator)
        assert found["broker_connections", people.PROVIDER, "provider_unavailable", "degraded"] == 1
        assert found["broker_renewals_due", people.PROVIDER] == 0
        assert found["broker_renewal_lateness_seconds", people.PROVIDER] == 0

    def test_what_is_late_in_doubt_and_stuck(self, settled, connect, call, operator, fresh):
        connect()
        run(DUE.format(lease="lease_owner = ''"))
        found = scraped(call, operator)
        assert (found["broker_renewals_due", people.PROVIDER], found["broker_leases_overdue", people.PROVIDER]) == (
            1,
            0,
        )
        assert 90 <= found["broker_renewal_lateness_seconds", people.PROVIDER] < 150
        assert found["broker_renewals_in_doubt", people.PROVIDER] == 1
        fresh.now += 60
        run(DUE.format(lease="lease_owner = 'gone:1:2:3', lease_until = now() - interval '1 second'"))
        found = scraped(call, operator)
        assert (found["broker_renewals_due", people.PROVIDER], found["broker_leases_overdue", people.PROVIDER]) == (
            0,
            1,
        )

    def test_registrations_that_are_held_and_days_that_are_open(self, settled, call, operator):
        RegistrationGate.objects.update_or_create(
            registration=settled.registration, defaults={"state": "open", "cause": "incident"}
        )
        today = database_now().astimezone(UTC).date()
        digests = dict.fromkeys(DIGESTS, b"")
        AuditDay.objects.create(day=today - timedelta(days=4), events=0, reads=0, key_version="", **digests)
        found = scraped(call, operator)
        assert found["broker_registrations_held", "incident", people.PROVIDER] == 1
        assert found["broker_audit_days_open",] == 3

    def test_events_that_nobody_has_published(self, settled, call, operator):
        OutboxEvent.objects.all().delete()
        OutboxEvent.objects.create(type="connection.connected")
        run("UPDATE tenants_outboxevent SET created_at = now() - interval '1 hour'")
        found = scraped(call, operator)
        assert found["broker_events_unpublished",] == 1
        assert 3600 <= found["broker_event_lateness_seconds",] < 3700
        assert found["broker_webhook_deliveries_waiting",] == 0

    def test_keys_that_end_soon(self, settled, call, operator):
        assert scraped(call, operator)["broker_api_keys_ending",] == 0
        run("UPDATE tenants_apikey SET expires_at = now() + interval '13 days'")
        service_again = Metrics(Clock())
        assert b"broker_api_keys_ending 4.0" in service_again.text(of_operator())

    def test_tokens_that_wait_on_disk(self, settled, call, operator, monkeypatch):
        monkeypatch.setattr(escrow_file, "names", lambda folder: ["one", "two"])
        assert scraped(call, operator)["broker_escrow_files",] == 2

    def test_nothing_is_said_that_is_not_described(self, settled, connect, call, operator):
        connect()
        asked = set(re.findall(r"SELECT '(\w+)'", figures._ALL))
        assert asked | {"escrow_files"} == set(METRICS)
        text = (PROJECT / "docs/metrics.md").read_text()
        assert set(re.findall(r"^\| `broker_(\w+)`", text, re.M)) == set(METRICS)
        for name, described in METRICS.items():
            line = next(line for line in text.splitlines() if line.startswith(f"| `broker_{name}`"))
            assert [label for label in described.labels if f"`{label}`" not in line] == []


def of_operator() -> Grant:
    return Grant(
        caller_id=people.caller_of("prometheus").id,
        caller_name="prometheus",
        key_id="",
        operations=frozenset({"metrics.read"}),
        providers=frozenset(),
        tenant_ids=None,
    )


class TestForWhom:
    def test_a_caller_of_some_tenants_learns_nothing_of_all(self, settled, call, fresh):
        answer = call("GET", "/metrics", settled.aalto_key)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer["Content-Type"] == "application/problem+json"

    def test_nor_does_one_of_some_providers(self, settled, call, operator):
        Caller.objects.filter(name="prometheus").update(providers=[people.PROVIDER])
        assert call("GET", "/metrics", operator).status_code == 403

    def test_one_of_all_tenants_needs_the_operation(self, settled, call, fresh):
        key = people.new_key("reader", None, ("token.read", "connection.read"))
        answer = call("GET", "/metrics", key)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    def test_they_are_only_read(self, settled, call, operator):
        answer = call("POST", "/metrics", operator, {})
        assert (answer.status_code, answer["Allow"]) == (405, "GET")

    def test_a_database_that_fails_is_a_fault_in_words(self, settled, call, operator):
        run("ALTER TABLE tenants_auditday RENAME TO away")
        try:
            answer = call("GET", "/metrics", operator)
        finally:
            run("ALTER TABLE away RENAME TO tenants_auditday")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")

    def test_without_a_key_there_is_nothing(self, settled, call, fresh):
        answer = call("GET", "/metrics")
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


class TestHowOften:
    def test_many_who_ask_cost_one_look(self, settled, operator):
        clock = Clock()
        kept = Metrics(clock)
        with CaptureQueriesContext(database) as asked:
            assert kept.text(of_operator()) == kept.text(of_operator())
        assert len([each for each in asked.captured_queries if "tenants_renewalslot" in each["sql"]]) == 1
        RenewalSlot.objects.all().delete()
        clock.now += 9
        with CaptureQueriesContext(database) as asked:
            kept.text(of_operator())
        assert [each for each in asked.captured_queries if "tenants_renewalslot" in each["sql"]]

    def test_making_them_asks_nothing(self, settled):
        with CaptureQueriesContext(database) as asked:
            Metrics()
        assert not asked.captured_queries
        assert service.CONTENT_TYPE.startswith("text/plain")
        assert not AuditDay.objects.exists()
