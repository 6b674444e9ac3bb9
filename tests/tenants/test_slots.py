"""Renewal slots: one winner, and nothing forgotten when a lease ends."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from tenants.models import RenewalSlot
from tenants.querysets import slots
from tenants.querysets.rows import database_now
from tenants.querysets.slots import Claim
from tests.tenants.rows import new_slot
from tests.tenants.slot_steps import LEASE, claim, claimed, due, end_lease, mark, now_is, sending
from tests.together import together


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    def test_one_of_many_wins_a_claim(self):
        slot = new_slot()
        won = together(*(lambda owner=str(number): claim(slot, owner) for number in range(6)))
        winners = [one for one in won if one]
        assert len(winners) == 1
        assert (now_is(slot).fence, slot.lease_owner) == (1, str(won.index(winners[0])))

    def test_a_claim_that_is_not_committed_keeps_others_out(self):
        slot = new_slot()
        with transaction.atomic():
            ours = claimed(slot)
            # The sweep skips it at once; it does not wait for this transaction.
            assert together(due) == [[]]
        assert together(due) == [[]]
        assert now_is(slot).fence == ours.fence

    def test_two_sweeps_share_what_is_due(self):
        made = {new_slot().pk for _ in range(10)}
        first, second = together(lambda: due(6, "a"), lambda: due(6, "b"))
        taken = [one.connection_id for one in first + second]
        assert sorted(taken) == sorted(made)

    def test_two_that_hold_one_claim_send_once(self):
        held = claimed(new_slot())
        marked = together(*(lambda: mark(held) for _ in range(4)))
        assert sorted(marked) == [False, False, False, True]

    def test_a_storm_of_reports_makes_one_claim(self):
        slot = new_slot()

        def report() -> Claim | None:
            won = slots.claim_forced(slot.pk, 5, owner="reporter", lease_seconds=LEASE)
            if won:
                slots.finish(won, due_in_seconds=60)
            return won

        assert len([one for one in together(*(report for _ in range(5))) if one]) == 1

    def test_seizing_and_finishing_at_once_leaves_the_seizer_in_charge(self):
        slot = new_slot()
        held = sending(slot)
        seized, _ = together(lambda: slots.seize(slot.pk), lambda: slots.finish(held, due_in_seconds=60))
        assert now_is(slot).fence == seized == held.fence + 1
        assert slot.state == "parked"
        assert slots.finish(held, due_in_seconds=60) is False


@pytest.mark.django_db
class TestClaiming:
    def test_it_takes_the_oldest_first_and_no_more_than_asked(self):
        pks = [new_slot(due_in_seconds=-age).pk for age in (1000, 3000, 2000)]
        assert [one.connection_id for one in due(2)] == [pks[1], pks[2]]
        assert [one.connection_id for one in due(2)] == [pks[0]]
        assert due(2) == []

    def test_what_is_not_due_yet_is_left_but_can_be_claimed_by_name(self):
        slot = new_slot(due_in_seconds=60)
        assert due() == []
        assert claim(slot) is not None

    def test_a_parked_slot_is_nobodys(self):
        slot = new_slot()
        RenewalSlot.objects.update(state="parked")
        assert due() == []
        assert claim(slot) is None
        assert slots.claim_forced(slot.pk, 1, owner="x", lease_seconds=LEASE) is None

    def test_an_absent_slot_is_nobodys(self):
        assert slots.claim_one(uuid.uuid4(), owner="x", lease_seconds=LEASE) is None

    def test_a_claim_bumps_the_fence_and_writes_owner_lease_and_intent(self):
        slot = new_slot(fence=41, attempts=3, suspect_version=40)
        won = claimed(slot)
        assert (won.connection_id, won.tenant_id, won.registration_id) == (
            slot.pk,
            slot.tenant_id,
            slot.registration_id,
        )
        assert (won.fence, won.uncertain_for, won.suspect_version, won.attempts) == (42, None, 40, 3)
        now_is(slot)
        assert (slot.fence, slot.lease_owner, slot.intent) == (42, "one", "claimed")
        left = (slot.lease_until - database_now()).total_seconds()
        assert LEASE - 5 < left <= LEASE

    def test_a_lease_keeps_others_out_until_it_ends(self):
        slot = new_slot()
        first = claimed(slot)
        assert claim(slot) is None
        assert due() == []
        end_lease(slot)
        second = claim(slot, "two")
        assert second is not None
        assert second.fence == first.fence + 1

    def test_a_lease_that_ends_while_sending_leaves_the_outcome_uncertain(self):
        slot = new_slot()
        sending(slot)
        sent_at = now_is(slot).intent_at
        end_lease(slot)
        assert claimed(slot).uncertain is True
        assert now_is(slot).uncertain_at == sent_at

    @pytest.mark.parametrize("take", ["due", "one", "forced"])
    def test_each_way_of_claiming_notices_it(self, take):
        slot = new_slot()
        sending(slot)
        end_lease(slot)
        ways = {
            "due": lambda: due()[0],
            "one": lambda: claim(slot),
            "forced": lambda: slots.claim_forced(slot.pk, 1, owner="x", lease_seconds=LEASE),
        }
        assert ways[take]().uncertain is True

    def test_a_lease_that_ends_before_sending_is_not_uncertain(self):
        slot = new_slot()
        claimed(slot)
        end_lease(slot)
        assert claimed(slot).uncertain is False
        assert now_is(slot).uncertain_at is None

    def test_uncertain_since_the_first_time(self):
        slot = new_slot()
        sending(slot)
        end_lease(slot)
        claimed(slot)
        first = now_is(slot).uncertain_at
        end_lease(slot)
        sending(slot)
        end_lease(slot)
        claimed(slot)
        assert now_is(slot).uncertain_at == first

    def test_one_forced_claim_a_minute_for_one_version(self):
        slot = new_slot()

        def force(version: int) -> bool:
            won = slots.claim_forced(slot.pk, version, owner="x", lease_seconds=LEASE)
            return bool(won and slots.release(won))

        assert [force(5), force(5), force(6), force(6)] == [True, False, True, False]
        RenewalSlot.objects.update(forced_at=Now() - timedelta(seconds=59))
        assert force(6) is False
        RenewalSlot.objects.update(forced_at=Now() - timedelta(seconds=61))
        assert force(6) is True

    def test_a_forced_claim_waits_for_a_lease_like_any_other(self):
        slot = new_slot()
        claimed(slot)
        assert slots.claim_forced(slot.pk, 5, owner="x", lease_seconds=LEASE) is None


@pytest.mark.django_db
def test_the_database_clock_decides(monkeypatch):
    """A worker whose own clock is wrong by an hour claims and leases like any other."""
    slot = new_slot()
    monkeypatch.setattr("time.time", lambda: 0.0)
    won = claimed(slot)
    assert RenewalSlot.objects.filter(pk=slot.pk, lease_until__gt=Now(), intent_at=F("intent_at")).exists()
    assert mark(won)
