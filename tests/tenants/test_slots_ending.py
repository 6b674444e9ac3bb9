"""Renewal slots: sending, and the ways in which a claim ends; nothing is written without the fence."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from tenants.models import RenewalSlot
from tenants.querysets import slots
from tenants.querysets.rows import database_now
from tests.tenants.rows import new_connection, new_slot
from tests.tenants.slot_steps import LEASE, claim, claimed, due, end_lease, mark, now_is, sending


@pytest.mark.django_db
class TestMarking:
    def test_it_makes_the_intent_durable_and_begins_the_lease_anew(self):
        slot = new_slot()
        won = claimed(slot)
        RenewalSlot.objects.update(lease_until=Now() + timedelta(seconds=1))
        assert mark(won)
        assert now_is(slot).intent == "sending"
        assert (slot.lease_until - database_now()).total_seconds() > LEASE - 5

    def test_it_refuses_once_the_lease_has_ended(self):
        slot = new_slot()
        won = claimed(slot)
        end_lease(slot)
        assert mark(won) is False
        assert now_is(slot).intent == "claimed"

    def test_it_refuses_when_somebody_else_has_the_slot(self):
        slot = new_slot()
        won = claimed(slot)
        end_lease(slot)
        claimed(slot)
        assert mark(won) is False


@pytest.mark.django_db
class TestMany:
    def test_those_still_ours_are_marked_and_the_others_named_by_their_absence(self):
        mine, ended, taken, sent = (new_slot() for _ in range(4))
        claims = [claimed(slot) for slot in (mine, ended, taken, sent)]
        end_lease(ended)
        end_lease(taken)
        claimed(taken)
        mark(claims[3])
        assert slots.mark_sending_many(claims, lease_seconds=LEASE) == {mine.pk}
        assert [now_is(slot).intent for slot in (mine, ended, taken, sent)] == [
            "sending",
            "claimed",
            "claimed",
            "sending",
        ]
        assert slots.mark_sending_many([], lease_seconds=LEASE) == set()

    def test_those_still_ours_are_given_back(self):
        mine, taken = new_slot(), new_slot()
        claims = [claimed(mine), claimed(taken)]
        slots.seize(taken.pk)
        assert slots.release_many(claims) == {mine.pk}
        assert claim(mine) is not None

    @pytest.mark.parametrize(
        "end",
        [
            lambda held: slots.finish(held, due_in_seconds=1),
            lambda held: slots.release(held),
            lambda held: slots.postpone(held, failure="x", seconds=1),
            lambda held: slots.park(held, failure="x"),
            lambda held: slots.end_probe(held, failure="x"),
            lambda held: slots.seize(held.connection_id),
        ],
        ids=["finish", "release", "postpone", "park", "end_probe", "seize"],
    )
    def test_whatever_ends_a_claim_leaves_no_owner(self, end):
        slot = new_slot()
        held = claimed(slot)
        assert now_is(slot).lease_owner == "one"
        end(held)
        assert now_is(slot).lease_owner == ""

    def test_a_claim_tells_for_how_long_its_outcome_is_in_doubt(self):
        slot = new_slot(uncertain_at=Now() - timedelta(seconds=90))
        assert claimed(slot).uncertain_for == pytest.approx(90, abs=0.1)


@pytest.mark.django_db
class TestEnding:
    def test_finishing_forgets_every_failure_and_sets_the_next_time(self):
        slot = new_slot(attempts=4, failure_class="transient", suspect_version=3, failed_at=Now(), uncertain_at=Now())
        assert slots.finish(sending(slot), due_in_seconds=100)
        now_is(slot)
        assert (slot.state, slot.intent, slot.attempts, slot.failure_class) == ("scheduled", "", 0, "")
        assert [slot.lease_until, slot.intent_at, slot.uncertain_at, slot.suspect_version, slot.failed_at] == [None] * 5
        assert 95 < (slot.due_at - database_now()).total_seconds() <= 100

    def test_finishing_for_ever_parks(self):
        slot = new_slot()
        assert slots.finish(sending(slot), due_in_seconds=None)
        assert (now_is(slot).state, slot.due_at) == ("parked", None)

    def test_one_that_is_late_but_was_not_replaced_may_still_finish(self):
        slot = new_slot()
        won = sending(slot)
        end_lease(slot)
        assert slots.finish(won, due_in_seconds=100)

    def test_releasing_changes_nothing_else(self):
        slot = new_slot(attempts=2, failure_class="transient")
        before = now_is(slot).due_at
        assert slots.release(claimed(slot))
        now_is(slot)
        assert (slot.due_at, slot.attempts, slot.failure_class) == (before, 2, "transient")
        assert (slot.intent, slot.lease_until, slot.uncertain_at) == ("", None, None)
        assert claim(slot) is not None

    def test_what_may_have_been_sent_cannot_be_released(self):
        slot = new_slot()
        won = sending(slot)
        assert slots.release(won) is False
        assert now_is(slot).intent == "sending"

    def test_postponing_counts_and_waits(self):
        slot = new_slot()
        assert slots.postpone(sending(slot), failure="transient", seconds=40, suspect_version=7)
        now_is(slot)
        assert (slot.attempts, slot.failure_class, slot.suspect_version) == (1, "transient", 7)
        assert (slot.intent, slot.lease_until, slot.uncertain_at) == ("", None, None)
        assert 35 < (slot.due_at - database_now()).total_seconds() <= 40
        assert due() == []

    def test_postponing_an_uncertain_one_remembers_since_when(self):
        slot = new_slot()
        won = sending(slot)
        sent_at = now_is(slot).intent_at
        assert slots.postpone(won, failure="uncertain", seconds=0, uncertain=True)
        assert now_is(slot).uncertain_at == sent_at
        assert claimed(slot).uncertain is True

    def test_a_certain_failure_does_not_forget_an_earlier_uncertain_one(self):
        slot = new_slot(uncertain_at=Now())
        slots.postpone(sending(slot), failure="transient", seconds=0)
        assert claimed(slot).uncertain is True

    def test_parking_stops_for_good(self):
        slot = new_slot()
        assert slots.park(sending(slot), failure="grant_revoked")
        now_is(slot)
        assert (slot.state, slot.due_at, slot.intent, slot.failure_class) == ("parked", None, "", "grant_revoked")
        assert due() == []

    @pytest.mark.parametrize(
        "write",
        [
            lambda lost: slots.finish(lost, due_in_seconds=1),
            lambda lost: slots.release(lost),
            lambda lost: slots.postpone(lost, failure="x", seconds=1),
            lambda lost: slots.park(lost, failure="x"),
            lambda lost: mark(lost),
            lambda lost: slots.schedule(lost.connection_id, lost.fence, due_in_seconds=1),
        ],
        ids=["finish", "release", "postpone", "park", "mark_sending", "schedule"],
    )
    def test_nothing_is_written_without_the_fence(self, write):
        slot = new_slot()
        lost = claimed(slot)
        end_lease(slot)
        sending(slot)
        before = RenewalSlot.objects.filter(pk=slot.pk).values().get()
        assert write(lost) is False
        assert RenewalSlot.objects.filter(pk=slot.pk).values().get() == before

    def test_it_writes_one_slot_only(self):
        slot, other = new_slot(), new_slot()
        won, theirs = claimed(slot), claimed(other)
        assert won.fence == theirs.fence
        slots.park(won, failure="x")
        assert now_is(other).state == "scheduled"


@pytest.mark.django_db
class TestSeizing:
    @pytest.mark.parametrize("held", [claimed, sending])
    def test_it_beats_whoever_holds_the_slot(self, held):
        slot = new_slot()
        lost = held(slot)
        assert slots.seize(slot.pk) == lost.fence + 1
        now_is(slot)
        assert (slot.state, slot.due_at, slot.lease_until, slot.intent) == ("parked", None, None, "")
        assert slots.finish(lost, due_in_seconds=1) is False

    def test_a_connection_without_a_slot_gets_one(self):
        made = new_connection()
        assert slots.seize(made.pk) == 1
        assert slots.seize(made.pk) == 2
        assert RenewalSlot.objects.get(pk=made.pk).state == "parked"

    def test_scheduling_under_the_seized_fence_starts_anew(self):
        slot = new_slot(attempts=5, failure_class="transient")
        fence = slots.seize(slot.pk)
        assert slots.schedule(slot.pk, fence, due_in_seconds=0)
        assert [one.attempts for one in due()] == [0]
