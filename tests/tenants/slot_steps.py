"""Steps of a slot's life, for tests: claimed, sending, its lease over."""

from datetime import timedelta

from django.db.models.functions import Now

from tenants.models import RenewalSlot
from tenants.querysets import slots
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
    assert slots.mark_sending(won, lease_seconds=LEASE)
    return won


def due(limit: int = 10, owner: str = "sweep") -> list[Claim]:
    return slots.claim_due(limit=limit, owner=owner, lease_seconds=LEASE)


def end_lease(slot: RenewalSlot) -> None:
    """As if the lease's time had passed. By an hour: inside a test's transaction the database's now() stands still."""
    RenewalSlot.objects.filter(pk=slot.pk).update(lease_until=Now() - timedelta(hours=1))


def now_is(slot: RenewalSlot) -> RenewalSlot:
    slot.refresh_from_db()
    return slot
