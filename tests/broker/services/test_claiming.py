"""What a worker renews next: everybody has a turn, however much one has."""

import math
from collections import Counter
from uuid import UUID

import pytest

from broker.services import presence
from broker.services.claiming import Claimer
from tenants.models import RenewalSlot
from tests.tenants.many_slots import crowd, new_registration, new_slots
from tests.tenants.rows import new_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def few_rounds(monkeypatch) -> None:
    monkeypatch.setattr("broker.services.claiming._ROUNDS", 2)


def test_one_tenant_with_many_due_delays_nobody():
    big, through = new_tenant(), new_registration()
    new_slots(big, through, 800, due_in_seconds=-3600)
    small = {tenant.id for tenant in crowd(99, [through], 10)}
    claimer, got, claims = Claimer(), Counter[UUID](), 0
    while sum(got[tenant] for tenant in small) < 990:
        each = Counter(claim.tenant_id for claim in claimer.claim(50, ()))
        assert max(each.values()) <= math.ceil(50 / 4)
        got += each
        claims += 1
        # 37 others fit beside the big one's 13; some claims are short where the lanes end.
        assert claims <= 40, "the small ones wait"
    assert got[big.id] <= 13 * claims


def test_a_held_registration_with_many_due_hides_nobody():
    held, through = new_registration(), new_registration()
    new_slots(new_tenant(), held, 500, due_in_seconds=-3600)
    crowd(5, [through], 10)
    claimer = Claimer()
    got = [*claimer.claim(50, {held.id}), *claimer.claim(50, {held.id})]
    assert len(got) == 50
    assert {claim.registration_id for claim in got} == {through.id}
    assert claimer.claim(50, {held.id}) == []


def test_what_is_far_from_the_last_claim_is_found(few_rounds):
    """The lanes before the one with something due are more than one look visits."""
    through = new_registration()
    held = new_registration()
    new_slots(new_tenant(), held, 100, due_in_seconds=-3600)
    tenants = sorted(crowd(501, [through], 1, due_in_seconds=60), key=lambda tenant: tenant.id)
    mine = new_slots(tenants[-1], through, 1)
    assert [claim.connection_id for claim in Claimer().claim(10, {held.id})] == mine


def test_one_tenant_alone_is_not_slowed_to_a_stop():
    new_slots(new_tenant(), new_registration(), 100)
    claimer, got = Claimer(), 0
    while more := claimer.claim(40, ()):
        got += len(more)
    assert got == 100


def test_the_urgent_ones_are_whoevers_they_are():
    through = new_registration()
    mine = new_slots(new_tenant(), through, 10)
    RenewalSlot.objects.filter(pk__in=mine[:8]).update(due_at="1970-01-01T00:00:00Z")
    held = new_registration()
    RenewalSlot.objects.filter(pk__in=new_slots(new_tenant(), held, 1)).update(due_at="1970-01-01T00:00:00Z")
    claimer = Claimer()
    assert {claim.connection_id for claim in claimer.claim(8, {held.id}, urgent_only=True)} == set(mine[:8])
    assert claimer.claim(8, {held.id}, urgent_only=True) == []


def test_leases_carry_this_process_s_name(settings):
    settings.RENEWAL_LEASE_SECONDS = 77
    new_slots(new_tenant(), new_registration(), 1)
    (claim,) = Claimer().claim(1, ())
    assert RenewalSlot.objects.get(pk=claim.connection_id).lease_owner == presence.owner()
