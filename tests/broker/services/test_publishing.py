"""Events get one order, what their receivers are told for good, and a delivery for each endpoint that may know."""

import threading
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from broker.services import events, outbox, publishing, webhooks
from broker.services.events import Wanted
from tenants.models import Caller, Connection, OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.querysets import publishing as rows
from tests import people
from tests.broker.services import telling

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def aalto(settled):
    return telling.connection(settled.aalto, settled.registration, "main")


@pytest.fixture
def birch(settled):
    return telling.connection(settled.birch, settled.registration)


def told(key, **wanted):
    return [row.type for row in events.page(telling.grant(key), 0, Wanted(**wanted), 100).events]


def to(row: WebhookEndpoint) -> list[str]:
    deliveries = WebhookDelivery.objects.filter(endpoint=row).order_by("id")
    return list(deliveries.values_list("event__type", flat=True))


class TestOrder:
    def test_positions_follow_each_other_and_begin_anew_nowhere(self, aalto):
        telling.happen(aalto, "connection.degraded", "connection.recovered")
        telling.happen(aalto, "connection.suspended")
        found = OutboxEvent.objects.order_by("id").values_list("position", "type")
        assert list(found) == [(1, "connection.degraded"), (2, "connection.recovered"), (3, "connection.suspended")]
        assert publishing.publish() == 0

    def test_what_commits_late_is_not_missed_by_whoever_has_read_on(self, aalto, birch):
        key = people.new_key("all", None, people.EVERYTHING)
        begun, done = threading.Event(), threading.Event()

        def slow():
            with transaction.atomic():
                outbox.write("connection.degraded", tenant_id=aalto.tenant_id, connection_id=aalto.id)
                begun.set()
                done.wait(10)
            database.close()

        thread = threading.Thread(target=slow)
        thread.start()
        assert begun.wait(10)
        telling.happen(birch, "connection.suspended")
        first = events.page(telling.grant(key), 0, Wanted(), 100)
        done.set()
        thread.join(10)
        publishing.publish()
        second = events.page(telling.grant(key), first.position, Wanted(), 100)
        assert [row.type for row in (*first.events, *second.events)] == ["connection.suspended", "connection.degraded"]

    def test_one_publisher_at_a_time(self, aalto):
        outbox.write("connection.degraded", tenant_id=aalto.tenant_id, connection_id=aalto.id)
        published = []

        def other():
            published.append(publishing.publish())
            database.close()

        with transaction.atomic():
            assert rows.hold()
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(10)
        assert published == [0]
        assert publishing.publish() == 1

    def test_many_old_ones_are_published_in_batches(self, settled):
        OutboxEvent.objects.bulk_create(
            OutboxEvent(type="connection.connected", tenant_id=settled.aalto.id, payload={}) for _ in range(1_200)
        )
        with telling.counted("pg_try_advisory_xact_lock") as batches:
            assert publishing.publish() == 1_200
        assert len(batches) == 3

    def test_nothing_to_publish_costs_one_look(self, settled):
        OutboxEvent.objects.all().delete()
        with telling.counted("") as statements:
            assert publishing.publish() == 0
        assert len(statements) == 1


class TestWhatIsTold:
    def test_of_a_connection(self, aalto):
        telling.happen(aalto, "connection.degraded")
        row = OutboxEvent.objects.get()
        assert outbox.message(row)["data"] == {
            "connection": str(aalto.id),
            "tenant": "aalto",
            "provider": people.PROVIDER,
            "environment": "local",
            "label": "main",
            "state": "connected",
            "reason": "",
            "previous_state": None,
        }

    def test_it_stays_the_same_whatever_becomes_of_its_rows(self, aalto):
        telling.happen(aalto, "connection.degraded")
        before = outbox.message(OutboxEvent.objects.get())
        Connection.objects.filter(pk=aalto.pk).update(label="other", state="suspended")
        publishing.publish()
        assert outbox.message(OutboxEvent.objects.get()) == before

    def test_of_a_registration(self, settled):
        outbox.write(
            "registration.incident", tenant_id=None, registration_id=str(settled.registration.pk), incident="x"
        )
        publishing.publish()
        assert outbox.message(OutboxEvent.objects.get())["data"] == {
            "registration": str(settled.registration.pk),
            "tenant": None,
            "provider": people.PROVIDER,
            "environment": "local",
            "incident": "x",
        }


class TestWhoIsTold:
    def test_callers_of_the_tenant_and_of_the_provider(self, settled, aalto, birch):
        every = people.new_key("all", None, people.EVERYTHING)
        other = people.new_key("other", None, people.EVERYTHING)
        Caller.objects.filter(name="other").update(providers=["netvisor"])
        keys = {"aalto": settled.aalto_key, "birch": settled.birch_key, "all": every, "other": other}
        endpoints = {name: telling.endpoint(key, URL)[0] for name, key in keys.items()}
        telling.happen(aalto, "connection.degraded")
        telling.happen(birch, "connection.suspended")
        both = ["connection.degraded", "connection.suspended"]
        expected = {"aalto": both[:1], "birch": both[1:], "all": both, "other": []}
        assert {name: to(row) for name, row in endpoints.items()} == expected
        assert {name: told(key) for name, key in keys.items()} == expected

    def test_a_shared_registration_concerns_whoever_uses_it(self, settled, aalto):
        every = people.new_key("all", None, people.EVERYTHING)
        keys = {"aalto": settled.aalto_key, "birch": settled.birch_key, "all": every}
        endpoints = {name: telling.endpoint(key, URL)[0] for name, key in keys.items()}
        outbox.write("registration.incident", tenant_id=None, registration_id=str(settled.registration.pk))
        publishing.publish()
        expected = {"aalto": ["registration.incident"], "birch": [], "all": ["registration.incident"]}
        assert {name: to(row) for name, row in endpoints.items()} == expected
        assert {name: told(key) for name, key in keys.items()} == expected

    def test_what_is_no_tenants_is_told_to_callers_of_every_tenant(self, settled):
        every = people.new_key("all", None, people.EVERYTHING)
        keys = {"aalto": settled.aalto_key, "all": every}
        endpoints = {name: telling.endpoint(key, URL)[0] for name, key in keys.items()}
        outbox.write("caller.throttled", tenant_id=None, caller="aalto-service")
        publishing.publish()
        expected = {"aalto": [], "all": ["caller.throttled"]}
        assert {name: to(row) for name, row in endpoints.items()} == expected
        assert {name: told(key) for name, key in keys.items()} == expected

    def test_only_the_types_that_an_endpoint_wants(self, settled, aalto):
        row, _ = telling.endpoint(settled.aalto_key, URL, "connection.suspended")
        telling.happen(aalto, "connection.degraded", "connection.suspended")
        assert to(row) == ["connection.suspended"]

    def test_nothing_from_before_the_endpoint_and_nothing_while_it_is_disabled(self, settled, aalto):
        outbox.write("connection.degraded", tenant_id=aalto.tenant_id, connection_id=aalto.id)
        row, _ = telling.endpoint(settled.aalto_key, URL)
        telling.happen(aalto, "connection.recovered")
        webhooks.disable(row.pk, webhooks.Because.STAFF, actor=people.STAFF)
        telling.happen(aalto, "connection.suspended")
        webhooks.enable(row.pk, actor=people.STAFF)
        telling.happen(aalto, "connection.disconnected")
        assert to(row) == ["connection.recovered", "connection.disconnected"]
        assert telling.states(row) == ["dropped", "waiting"]

    @pytest.mark.parametrize("change", [{"active": False}, {"operations": ["event.read"]}], ids=str)
    def test_nobody_who_may_not_be_told_any_more(self, settled, aalto, change):
        row, _ = telling.endpoint(settled.aalto_key, URL)
        Caller.objects.filter(name="aalto-service").update(**change)
        telling.happen(aalto, "connection.degraded")
        assert to(row) == []


class TestTheList:
    def test_pages_follow_each_other_without_gaps(self, settled, aalto, birch):
        for row in (aalto, birch, aalto, birch, birch):
            telling.happen(row, "connection.degraded")
        grant, seen, position = telling.grant(settled.aalto_key), [], 0
        for _ in range(3):
            found = events.page(grant, position, Wanted(), 1)
            seen += [row.position for row in found.events]
            position = found.position
        # Past what belongs to others: nobody reads that again and again.
        assert (seen, position) == ([1, 3], 5)

    def test_filters(self, settled, aalto):
        other = telling.connection(settled.aalto, settled.registration, "second")
        telling.happen(aalto, "connection.degraded", "connection.recovered")
        telling.happen(other, "connection.suspended")
        key = settled.aalto_key
        assert told(key, types=("connection.recovered", "connection.suspended")) == [
            "connection.recovered",
            "connection.suspended",
        ]
        assert told(key, connection_id=other.id) == ["connection.suspended"]
        assert told(key, tenant="birch") == []
        assert len(told(key, tenant="aalto")) == 3

    def test_a_page_is_found_by_an_index(self, settled, aalto):
        made = (
            OutboxEvent(type="connection.connected", tenant_id=telling.some_id(), payload={}, position=n)
            for n in range(1, 20_001)
        )
        OutboxEvent.objects.bulk_create(made, batch_size=2000)
        with database.cursor() as cursor:
            cursor.execute("ANALYZE tenants_outboxevent")
        rows = events._rows(telling.grant(settled.aalto_key), Wanted()).filter(position__gt=5).order_by("position")[:50]
        plan = rows.explain()
        assert "Seq Scan on tenants_outboxevent" not in plan, plan


class TestPurge:
    def test_what_is_older_than_its_days_goes_with_its_deliveries_and_positions_go_on(self, settled, aalto):
        row, _ = telling.endpoint(settled.aalto_key, URL)
        telling.happen(aalto, "connection.degraded", "connection.recovered", "connection.suspended")
        OutboxEvent.objects.update(created_at=timezone.now() - timedelta(days=31))
        outbox.write("connection.degraded", tenant_id=aalto.tenant_id, connection_id=aalto.id)
        # The newest that is published stays, so that nobody's cursor leads past what comes.
        assert publishing.purge(timezone.now()) == 2
        assert telling.states(row) == []
        publishing.publish()
        assert list(OutboxEvent.objects.order_by("id").values_list("position", flat=True)) == [3, 4]

    def test_what_is_young_enough_stays(self, aalto, settings):
        telling.happen(aalto, "connection.degraded", "connection.recovered")
        OutboxEvent.objects.update(created_at=timezone.now() - timedelta(days=3))
        assert publishing.purge(timezone.now()) == 0
        settings.EVENTS_KEPT_DAYS = 2
        assert publishing.purge(timezone.now()) == 1
