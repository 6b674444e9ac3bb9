"""Claims among many: no tenant takes more than its share, and nobody's slots hide another's."""

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import transaction

from tenants.models import RenewalSlot
from tenants.querysets import fair_claims
from tenants.querysets.claims import Claim
from tenants.querysets.fair_claims import Lane, Lanes, Wanted, Window
from tests.tenants.many_slots import crowd, new_registration, new_slots
from tests.tenants.rows import new_tenant
from tests.together import together

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window(limit: int, share: int, held: frozenset[UUID] = frozenset(), *, recovered_only: bool = False) -> Window:
    wanted = Wanted(limit=limit, share=share, held=held)
    return fair_claims.claim_window(wanted, owner="me", lease_seconds=30, recovered_only=recovered_only)


def lanes(
    limit: int,
    share: int,
    held: frozenset[UUID] = frozenset(),
    *,
    served: frozenset[UUID] = frozenset(),
    after: Lane | None = None,
) -> Lanes:
    wanted = Wanted(limit=limit, share=share, held=held)
    return fair_claims.claim_lanes(wanted, owner="me", lease_seconds=30, served=served, after=after)


def of_tenants(claims: list[Claim]) -> Counter[UUID]:
    return Counter(claim.tenant_id for claim in claims)


@pytest.mark.django_db
class TestWindow:
    def test_one_tenant_gets_its_share_and_the_others_the_rest(self):
        big, through = new_tenant(), new_registration()
        new_slots(big, through, 40, due_in_seconds=-3600)
        crowd(8, [through], 2)
        got = of_tenants(window(20, 5).claims)
        assert got[big.id] == 5
        assert sum(got.values()) == 20

    def test_the_oldest_come_first_of_each(self):
        tenant, through = new_tenant(), new_registration()
        late = new_slots(tenant, through, 3, due_in_seconds=-10)
        early = new_slots(tenant, through, 3, due_in_seconds=-100)
        assert [claim.connection_id for claim in window(4, 4).claims] == [*early, late[0]]

    def test_held_registrations_are_left_out(self):
        through, held = new_registration(), new_registration()
        crowd(3, [held], 2, due_in_seconds=-100)
        crowd(2, [through], 2)
        got = window(10, 10, frozenset([held.id]))
        assert {claim.registration_id for claim in got.claims} == {through.id}
        assert (len(got.claims), got.full) == (4, False)

    def test_it_says_when_there_may_be_more_behind_what_it_looked_at(self):
        held = new_registration()
        crowd(1, [held], 64)
        assert window(10, 10, frozenset([held.id])) == Window(claims=[], full=True)
        RenewalSlot.objects.filter(pk=RenewalSlot.objects.first().pk).delete()
        assert window(10, 10, frozenset([held.id])).full is False

    def test_only_what_was_recovered(self):
        tenant, through = new_tenant(), new_registration()
        mine = new_slots(tenant, through, 3)
        RenewalSlot.objects.filter(pk=mine[1]).update(due_at=EPOCH)
        assert [claim.connection_id for claim in window(10, 10, recovered_only=True).claims] == [mine[1]]

    def test_what_was_recovered_comes_first_of_all(self):
        through = new_registration()
        crowd(30, [through], 3, due_in_seconds=-3600)
        mine = new_slots(new_tenant(), through, 1)
        RenewalSlot.objects.filter(pk=mine[0]).update(due_at=EPOCH)
        assert window(5, 5).claims[0].connection_id == mine[0]


@pytest.mark.django_db
class TestLanes:
    def test_each_lane_has_its_turn_before_any_has_two(self):
        through = [new_registration(), new_registration()]
        tenants = crowd(10, through, 4)
        got = of_tenants(lanes(10, 5).claims)
        assert got == {tenant.id: 1 for tenant in tenants}

    def test_a_tenant_has_one_share_however_many_lanes(self):
        tenant = new_tenant()
        for _ in range(4):
            new_slots(tenant, new_registration(), 5)
        assert len(lanes(20, 3).claims) == 3

    def test_who_was_served_already_is_left_out(self):
        tenants = crowd(4, [new_registration()], 2)
        served = frozenset(tenant.id for tenant in tenants[:3])
        assert of_tenants(lanes(20, 5, served=served).claims) == {tenants[3].id: 2}

    def test_a_held_registration_costs_one_step_whatever_it_has(self, monkeypatch):
        held, through = sorted((new_registration() for _ in range(2)), key=lambda one: one.id)
        crowd(600, [held], 1)
        (tenant,) = crowd(1, [through], 1)
        got = lanes(10, 10, frozenset([held.id]))
        assert of_tenants(got.claims) == {tenant.id: 1}
        assert got.after is None

    def test_what_is_not_due_is_left(self):
        through = new_registration()
        tenant = new_tenant()
        new_slots(tenant, through, 2, due_in_seconds=60)
        due = new_slots(tenant, through, 1)
        assert [claim.connection_id for claim in lanes(10, 10).claims] == due

    def test_it_goes_on_where_it_ended(self):
        """70 lanes with one each: a claim of 10 looks at 64 lanes, and the next ones at the rest and from the start."""
        tenants = crowd(70, [new_registration()], 1)
        first = lanes(10, 10)
        assert first.after is not None
        second = lanes(10, 10, after=first.after)
        assert second.after is None
        assert len(second.claims) == 6
        seen = [*first.claims, *second.claims]
        while more := lanes(10, 10).claims:
            seen += more
        assert of_tenants(seen) == {tenant.id: 1 for tenant in tenants}

    def test_many_lanes_without_anything_due_end_a_claim_and_the_next_goes_on(self):
        through = new_registration()
        crowd(510, [through], 1, due_in_seconds=60)
        first = lanes(10, 10)
        assert first.claims == []
        assert first.after is not None
        assert lanes(10, 10, after=first.after) == Lanes(claims=[], after=None)

    def test_an_empty_table(self):
        assert lanes(10, 10) == Lanes(claims=[], after=None)


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_no_slot_is_claimed_twice(self):
        crowd(20, [new_registration(), new_registration()], 10)

        def all_of_them() -> list[UUID]:
            got: list[UUID] = []
            while more := [*window(10, 5).claims, *lanes(10, 5).claims]:
                got += [claim.connection_id for claim in more]
            return got

        taken = together(all_of_them, all_of_them, all_of_them)
        together_taken = [one for each in taken for one in each]
        assert len(together_taken) == len(set(together_taken)) == 200
        assert RenewalSlot.objects.filter(fence=1).count() == 200

    def test_what_another_has_locked_is_passed_over(self):
        through = new_registration()
        crowd(10, [through], 1)
        with transaction.atomic():
            mine = window(4, 4).claims
            (theirs,) = together(lambda: window(4, 4).claims)
        assert len(theirs) == 4
        assert not {claim.connection_id for claim in mine} & {claim.connection_id for claim in theirs}
