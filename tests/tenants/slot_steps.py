"""Steps of a slot's life, for tests: claimed, sending, its lease over."""

from datetime import timedelta

from django.db.models.functions import Now

from tenants.models import RenewalSlot
from tenants.querysets import slots
from tenants.querysets.fair_claims import Wanted, claim_window
from tenants.querysets.slots import Claim

LEASE = 30.0


def claim(slot: RenewalSlot, owner: str = "one") -> Claim | None:
    return slots.claim_one(slot.pk, owner=owner, lease_seconds=LEASE)


def claimed(slot: RenewalSlot) -> Claim:
    won = claim(slot)
    assert won is not None
    return won


def sending(slot: RenewalSlot) -> Claim:
    won = claimed(slot)
    assert mark(won)
    return won


def mark(held: Claim) -> bool:
    return slots.mark_sending_many([held], lease_seconds=LEASE) == {held.connection_id}


def due(limit: int = 10, owner: str = "sweep") -> list[Claim]:
    """The claims of a worker that has room for so many, and no regard for tenants."""
    return claim_window(Wanted(limit=limit, share=limit), owner=owner, lease_seconds=LEASE).claims


def end_lease(slot: RenewalSlot) -> None:
    """As if the lease's time had passed. By an hour: inside a test's transaction the database's now() stands still."""
    RenewalSlot.objects.filter(pk=slot.pk).update(lease_until=Now() - timedelta(hours=1))


def now_is(slot: RenewalSlot) -> RenewalSlot:
    slot.refresh_from_db()
    return slot
