"""Deliveries to a real receiver: signed, in order, at least once, and without end to nobody's patience."""

import json

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import WebhookVerificationError

from broker.services import delivering, outbox
from tenants.models import AuditEvent, OutboxEvent, WebhookDelivery
from tests import people
from tests.broker.services import telling
from tests.fakes.receiver import Receiver


@pytest.fixture
def aalto(settled):
    return telling.connection(settled.aalto, settled.registration)


@pytest.fixture
def other(settled):
    return telling.connection(settled.aalto, settled.registration, "second")


def types(receiver: Receiver, path: str = "/hook") -> list[str]:
    return [json.loads(got.body)["type"] for got in receiver.at(path)]


class TestOneDelivery:
    def test_it_is_signed_as_the_standard_says(self, aalto, hook, receiver):
        row, secret = hook
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        [got] = receiver.at("/hook")
        event = OutboxEvent.objects.get()
        assert got.event(secret) == outbox.message(event)
        assert got.id == f"msg_{event.uid.hex}"
        assert got.headers["content-type"] == "application/json"
        assert set(got.event(secret)) == {"type", "timestamp", "data"}
        delivery = telling.only(row)
        assert delivery.state == "delivered"
        assert [entry["status"] for entry in delivery.tries] == [204]

    def test_another_secret_does_not_fit(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        with pytest.raises(WebhookVerificationError):
            receiver.at("/hook")[0].event("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    def test_a_later_try_has_the_same_id_and_body_and_a_signature_of_its_own_time(self, aalto, hook, receiver):
        receiver.answer("/hook", 500, 204)
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        assert telling.deliver() == []
        telling.later(10)
        telling.deliver()
        first, second = receiver.at("/hook")
        assert (first.id, first.body) == (second.id, second.body)
        assert second.event(hook[1])
        assert [entry.get("status") for entry in telling.only(hook[0]).tries] == [500, 204]

    @pytest.mark.parametrize("status", [200, 201, 202, 299])
    def test_any_success_is_one(self, aalto, hook, receiver, status):
        receiver.answer("/hook", status)
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        assert telling.only(hook[0]).state == "delivered"

    @pytest.mark.parametrize("status", [302, 307, 400, 401, 404, 500, 503])
    def test_anything_else_is_tried_again_and_no_redirect_is_followed(self, aalto, hook, receiver, status):
        receiver.answer("/hook", status, headers={"Location": f"{receiver.url}/elsewhere"})
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        assert telling.only(hook[0]).state == "waiting"
        assert receiver.at("/elsewhere") == []

    def test_what_an_endpoint_answers_beside_the_status_is_not_kept(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        assert set(telling.only(hook[0]).tries[0]) == {"at", "status", "ms"}

    def test_one_that_does_not_answer_in_time(self, settled, aalto, receiver, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 0.3
        row, _ = telling.endpoint(settled.aalto_key, f"{receiver.url}/slow")
        receiver.slow["/slow"] = 1.0
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        assert telling.only(row).tries[0]["error"] == "timed out"

    def test_rights_that_were_taken_away_meanwhile_are_gone(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.suspended")
        people.caller_of("aalto-service").tenants.clear()
        telling.deliver()
        assert receiver.at("/hook") == []
        assert telling.only(hook[0]).state == "dropped"


class TestTries:
    def test_pauses_grow_for_three_days(self):
        age, pauses = 0.0, []
        while (pause := delivering.pause_after(len(pauses) + 1, age, 0.0)) is not None:
            pauses.append(pause)
            age += pause
        assert pauses[:7] == [5, 30, 120, 600, 1800, 3600, 7200]
        assert sum(pauses) == 72 * 3600
        assert all(pause <= 28_800 for pause in pauses)
        assert delivering.pause_after(1, 0.0, 1.0) == 6

    @pytest.mark.parametrize(("asked", "seconds"), [("60", 60), ("90000", 3600), ("1", 6), ("soon", 6)])
    @pytest.mark.parametrize("status", [429, 503])
    def test_retry_after_counts_within_bounds(self, aalto, hook, receiver, status, asked, seconds):
        receiver.answer("/hook", status, headers={"Retry-After": asked})
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        wait = (telling.only(hook[0]).due_at - timezone.now()).total_seconds()
        assert seconds - 2 < wait <= seconds

    def test_after_three_days_it_is_given_up_and_the_next_comes(self, aalto, hook, receiver):
        receiver.answer("/hook", 500, 204)
        telling.happen(aalto, "connection.suspended")
        telling.later(72 * 3600 + 1)
        telling.happen(aalto, "connection.disconnected")
        telling.deliver()
        assert telling.states(hook[0]) == ["given_up", "waiting"]
        telling.later(10)
        telling.deliver()
        assert telling.states(hook[0]) == ["given_up", "delivered"]

    def test_an_endpoint_that_accepts_nothing_for_three_days_is_disabled(self, aalto, hook, receiver):
        row, _ = hook
        receiver.answer("/hook", 500)
        telling.happen(aalto, "connection.suspended")
        telling.deliver()
        telling.later(72 * 3600 + 1)
        telling.happen(aalto, "connection.disconnected")
        telling.deliver()
        row.refresh_from_db()
        assert row.disabled_because == "failing"
        assert telling.states(row) == ["given_up", "dropped"]
        event = AuditEvent.objects.get(action="webhook.endpoint_disabled")
        assert (event.detail["because"], event.actor_kind) == ("failing", "system")

    def test_410_disables_at_once(self, aalto, other, hook, receiver):
        row, _ = hook
        receiver.answer("/hook", 410)
        telling.happen(aalto, "connection.suspended", "connection.disconnected")
        telling.happen(other, "connection.suspended")
        telling.deliver(1)
        row.refresh_from_db()
        assert row.disabled_because == "gone"
        assert telling.states(row) == ["dropped"] * 3
        assert telling.deliver() == []
        assert AuditEvent.objects.get(action="webhook.endpoint_disabled").detail["because"] == "gone"

    def test_an_endpoint_that_keeps_failing_rests_as_a_whole(self, settled, hook, receiver):
        row, _ = hook
        receiver.answer("/hook", 500)
        for number in range(8):
            telling.happen(telling.connection(settled.aalto, settled.registration, str(number)), "connection.suspended")
        assert len(telling.deliver()) == delivering.MOST_OF_ONE
        assert len(telling.deliver()) == 1
        assert telling.deliver() == []
        row.refresh_from_db()
        assert row.paused_until > timezone.now()
        telling.later(6)
        receiver.answer("/hook", 204)
        telling.deliver_all()
        assert telling.states(row) == ["delivered"] * 8
        row.refresh_from_db()
        assert (row.failures, row.failing_since, row.paused_until) == (0, None, None)


class TestOrder:
    def test_a_connections_events_come_in_their_order_whatever_fails(self, aalto, other, hook, receiver):
        receiver.answer("/hook", 500, 204, 500, 204)
        telling.happen(aalto, "connection.degraded", "connection.recovered", "connection.suspended")
        telling.happen(other, "connection.disconnected")
        telling.deliver()
        for _ in range(8):
            telling.later(40)
            telling.deliver()
        accepted = [json.loads(got.body)["type"] for got in receiver.at("/hook") if got.status == 204]
        of_aalto = [each for each in accepted if each != "connection.disconnected"]
        assert of_aalto == ["connection.degraded", "connection.recovered", "connection.suspended"]
        assert len(receiver.at("/hook")) == 6

    def test_one_connection_that_waits_does_not_hold_up_another(self, aalto, other, hook, receiver):
        receiver.answer("/hook", 500, 204)
        telling.happen(aalto, "connection.degraded", "connection.recovered")
        telling.happen(other, "connection.suspended")
        telling.deliver()
        telling.deliver()
        assert sorted(telling.states(hook[0])) == ["delivered", "waiting", "waiting"]

    def test_those_that_wait_for_another_are_not_looked_at_before_it_is_due(self, aalto, hook, receiver):
        receiver.answer("/hook", 500)
        telling.happen(aalto, *["connection.degraded"] * 5)
        telling.deliver()
        assert not WebhookDelivery.objects.filter(state="waiting", due_at__lte=timezone.now()).exists()

    def test_two_workers_never_have_one_delivery(self, aalto, other, hook):
        telling.happen(aalto, "connection.degraded", "connection.recovered")
        telling.happen(other, "connection.degraded")
        first, second = delivering.claim(10, {}), delivering.claim(10, {})
        assert (len(first), len(second)) == (2, 0)


class TestCrash:
    def test_a_claim_whose_owner_died_is_due_again_when_its_lease_ends(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.degraded", "connection.recovered")
        assert len(delivering.claim(10, {})) == 1
        assert telling.deliver() == []
        telling.later(26)
        telling.deliver_all()
        assert types(receiver) == ["connection.degraded", "connection.recovered"]

    def test_whoever_comes_late_with_a_failure_says_nothing_any_more(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.degraded")
        [late] = delivering.claim(10, {})
        telling.later(26)
        [ours] = delivering.claim(10, {})
        receiver.answer("/hook", 500)
        telling.settled(late)
        assert telling.only(hook[0]).tries == []
        receiver.answer("/hook", 204)
        telling.settled(ours)
        assert telling.only(hook[0]).state == "delivered"

    def test_whoever_comes_late_cannot_give_it_up(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.degraded")
        telling.later(72 * 3600 + 1)
        [late] = delivering.claim(10, {})
        telling.later(26)
        delivering.claim(10, {})
        receiver.answer("/hook", 500)
        telling.settled(late)
        assert telling.only(hook[0]).state == "waiting"

    def test_whoever_comes_late_with_a_success_is_believed(self, aalto, hook, receiver):
        telling.happen(aalto, "connection.degraded")
        [late] = delivering.claim(10, {})
        telling.later(26)
        delivering.claim(10, {})
        telling.settled(late)
        assert telling.only(hook[0]).state == "delivered"
