"""Slots in numbers: of so many tenants, at so many registrations."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from tenants.models import ClientRegistration, Connection, RenewalSlot, Tenant
from tenants.querysets.rows import database_now
from tests.tenants.rows import new_connection


def new_registration() -> ClientRegistration:
    """One of nobody's own, that many tenants connect through."""
    return new_connection().registration


def new_slots(tenant: Tenant, through: ClientRegistration, count: int, *, due_in_seconds: float = -60.0) -> list[UUID]:
    """Slots that are due, the later ones a little later."""
    return _make([(tenant, through)] * count, due_in_seconds)


def crowd(
    tenants: int, through: Sequence[ClientRegistration], each: int, *, due_in_seconds: float = -60.0
) -> list[Tenant]:
    """So many tenants with so many slots each, the tenants in turns at these registrations."""
    names = [f"t-{uuid4().hex[:12]}" for _ in range(tenants)]
    made = Tenant.objects.bulk_create(Tenant(slug=name, name=name) for name in names)
    at = [(tenant, through[number % len(through)]) for number, tenant in enumerate(made)]
    _make([one for one in at for _ in range(each)], due_in_seconds)
    return made


def _make(at: Sequence[tuple[Tenant, ClientRegistration]], due_in_seconds: float) -> list[UUID]:
    rows = Connection.objects.bulk_create(
        Connection(tenant=tenant, registration=through, provider_id=through.provider_id) for tenant, through in at
    )
    start = database_now() + timedelta(seconds=due_in_seconds)
    RenewalSlot.objects.bulk_create(
        RenewalSlot(
            connection=row,
            tenant_id=row.tenant_id,
            registration_id=row.registration_id,
            state="scheduled",
            due_at=start + timedelta(microseconds=number),
        )
        for number, row in enumerate(rows)
    )
    return [row.id for row in rows]
