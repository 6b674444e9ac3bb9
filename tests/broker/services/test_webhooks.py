"""What callers and staff do with webhooks: change secrets, test, send again; and the threads that send."""

import json
import time

import pytest
from django.db import connection as database
from standardwebhooks.webhooks import WebhookVerificationError

from broker.courier import Courier
from broker.services import delivering, keys, outbox, publishing, webhooks
from tenants.models import AuditEvent, Caller, WebhookDelivery, WebhookEndpoint
from tests import people
from tests.broker.services import telling
from tests.fakes.broker import wait_until


@pytest.fixture
def aalto(settled):
    return telling.connection(settled.aalto, settled.registration)


class TestSecrets:
    def test_both_sign_while_they_overlap_and_then_only_the_new_one(self, aalto, hook, receiver):
        row, old = hook
        new, ends = webhooks.rotate_secret(row, overlap_seconds=3600, actor=telling.ACTOR)
        assert ends is not None
        telling.happen(aalto, "connection.degraded")
        telling.deliver()
        assert receiver.at("/hook")[0].event(old) == receiver.at("/hook")[0].event(new)
        telling.later(3601)
        telling.happen(aalto, "connection.recovered")
        telling.deliver()
        last = receiver.at("/hook")[1]
        assert last.event(new)
        with pytest.raises(WebhookVerificationError):
            last.event(old)

    def test_without_overlap_the_old_one_ends_at_once(self, aalto, hook, receiver):
        row, _ = hook
        new, ends = webhooks.rotate_secret(row, overlap_seconds=0, actor=telling.ACTOR)
        telling.happen(aalto, "connection.degraded")
        telling.deliver()
        [got] = receiver.at("/hook")
        assert ends is None
        assert got.event(new)
        assert got.headers["webhook-signature"].count("v1,") == 1

    def test_never_more_than_two(self, aalto, hook, receiver):
        for _ in range(3):
            webhooks.rotate_secret(hook[0], overlap_seconds=3600, actor=telling.ACTOR)
        telling.happen(aalto, "connection.degraded")
        telling.deliver()
        assert receiver.at("/hook")[0].headers["webhook-signature"].count("v1,") == 2

    def test_they_lie_sealed(self, hook):
        row, secret = hook
        with database.cursor() as cursor:
            cursor.execute("SELECT sealed_secrets FROM tenants_webhookendpoint WHERE id = %s", [row.pk])
            assert secret.encode() not in bytes(cursor.fetchone()[0])
        assert secret not in json.dumps(list(AuditEvent.objects.values_list("detail", flat=True)))

    def test_no_repr_shows_them_or_what_is_sent(self, aalto, hook):
        telling.happen(aalto, "connection.degraded")
        [parcel] = delivering.claim(1, {})
        assert hook[1] not in repr(parcel)
        assert str(aalto.id) not in repr(parcel)


class TestReplayAndTest:
    def test_what_was_accepted_is_sent_again_with_the_same_id(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.degraded")
        telling.deliver()
        again = webhooks.replay(webhooks.by_id(telling.only(hook[0]).pk), actor=telling.ACTOR)
        telling.deliver()
        first, second = receiver.at("/hook")
        assert (first.id, first.body) == (second.id, second.body)
        assert webhooks.by_id(again.pk).state == "delivered"
        assert again.replayed

    def test_it_neither_waits_nor_holds_up(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.degraded")
        telling.deliver()
        first = telling.only(hook[0])
        receiver.answer("/hook", 500, 204)
        telling.happen(aalto, "connection.recovered")
        telling.deliver()
        webhooks.replay(webhooks.by_id(first.pk), actor=telling.ACTOR)
        telling.deliver()
        assert telling.states(hook[0]) == ["delivered", "waiting", "delivered"]

    def test_one_that_waits_is_sent_at_once_and_those_behind_it_follow(self, aalto, hook, receiver):
        receiver.answer("/hook", 500, 204)
        telling.happen(aalto, "connection.degraded", "connection.recovered")
        telling.deliver()
        first = WebhookDelivery.objects.order_by("id").first()
        assert webhooks.replay(webhooks.by_id(first.pk), actor=telling.ACTOR).pk == first.pk
        telling.deliver_all()
        assert telling.states(hook[0]) == ["delivered", "delivered"]

    def test_a_test_event_goes_the_same_way_and_into_nobodys_list(self, settled, hook, receiver):
        delivery = webhooks.send_test(hook[0], actor=telling.ACTOR)
        assert publishing.publish() == 0
        telling.deliver()
        [got] = receiver.at("/hook")
        assert got.event(hook[1])["type"] == "webhook.test"
        assert webhooks.by_id(delivery.pk).state == "delivered"
        assert webhooks.by_id(delivery.pk).event.position < 0


class TestCourier:
    @pytest.fixture
    def courier(self, hook):
        one = Courier(8)
        one.start()
        yield one
        one.finish()

    def test_it_publishes_and_delivers_within_seconds(self, aalto, hook, receiver, courier):
        outbox.write("connection.degraded", tenant_id=aalto.tenant_id, connection_id=aalto.id)
        [got] = receiver.wait("/hook", seconds=5)
        assert got.event(hook[1])["type"] == "connection.degraded"
        wait_until(lambda: telling.only(hook[0]).state == "delivered", "the delivery to be written down", 5)

    def test_a_slow_endpoint_does_not_hold_up_a_fast_one(self, settled, receiver, courier):
        slow, _ = telling.endpoint(settled.aalto_key, f"{receiver.url}/slow")
        fast, _ = telling.endpoint(settled.aalto_key, f"{receiver.url}/fast")
        receiver.slow["/slow"] = 2.0
        for number in range(20):
            telling.happen(telling.connection(settled.aalto, settled.registration, str(number)), "connection.degraded")
        begun = time.monotonic()
        receiver.wait("/fast", 20, seconds=10)
        took = time.monotonic() - begun
        # Alone, the slow one would have needed ten seconds for its twenty with four at a time.
        assert len(receiver.at("/slow")) < 20, took
        assert WebhookDelivery.objects.filter(endpoint=slow, state="delivered").count() < 20
        assert telling.states(fast)
        webhooks.disable(slow.pk, webhooks.Because.STAFF, actor=people.STAFF)

    def test_it_ends_when_what_is_out_is_written_down(self, aalto, hook, receiver):
        receiver.slow["/hook"] = 0.5
        one = Courier(2)
        one.start()
        telling.happen(aalto, "connection.degraded")
        wait_until(lambda: telling.only(hook[0]).attempts == 1, "a claim", 5)
        one.finish()
        assert telling.only(hook[0]).state == "delivered"


def test_a_caller_that_is_switched_off_gets_nothing(aalto, hook, receiver):
    telling.happen(aalto, "connection.degraded")
    Caller.objects.filter(name="aalto-service").update(active=False)
    telling.deliver()
    assert receiver.at("/hook") == []


def test_secrets_are_sealed_again_when_keys_are_rotated(aalto, hook, receiver):
    key = WebhookEndpoint.objects.get().data_key_id
    keys.renew_data_keys()
    assert keys.reseal().failed == set()
    assert WebhookEndpoint.objects.get().data_key_id != key
    telling.happen(aalto, "connection.degraded")
    telling.deliver()
    assert receiver.at("/hook")[0].event(hook[1])
