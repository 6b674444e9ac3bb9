"""Many customers of one registration, and the steps by which a worker renews them."""

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from broker.services import credentials, gates, presence, renewal_steps
from broker.services.gate_view import view
from broker.services.renewal_attempt import Outcome
from providers.messages import OAuthCredential, Secret
from tenants.models import ClientRegistration, Connection, RegistrationGate, RenewalSlot, Tenant
from tenants.querysets import claims, slots
from tests.fakes import sandbox as fake

LEASE = 30.0


def customers(tenant: Tenant, registration: ClientRegistration, sandbox: Any, count: int) -> list[Connection]:
    """Connections that are due, with refresh tokens that the sandbox knows."""
    asked = {"client_id": registration.client_id, "user": fake.USER, "count": count}
    tokens = sandbox.control("POST", "grants", asked)["refresh_tokens"]
    return [_customer(tenant, registration, token) for token in tokens]


def _customer(tenant: Tenant, registration: ClientRegistration, token: str) -> Connection:
    row = Connection.objects.create(
        tenant=tenant, registration=registration, provider_id=registration.provider_id, state="connected"
    )
    owners = {"tenant_id": tenant.pk, "registration_id": registration.pk}
    RenewalSlot.objects.create(
        connection=row, **owners, state="scheduled", due_at=Now() - timedelta(minutes=1), fence=1
    )
    held = OAuthCredential(access_token=Secret(f"access of {row.pk}"), refresh_token=Secret(token))
    credentials.store(row, 1, held, 3600)
    return row


def step(limit: int = 50) -> list[Outcome]:
    """One turn of a worker: what it claimed, was admitted, sent and concluded."""
    view.forget()
    owner, held = presence.owner(), gates.held()
    claimed = [
        claim
        for slot in RenewalSlot.objects.filter(state="scheduled", due_at__lte=Now()).order_by("due_at")[:limit]
        if slot.registration_id not in held
        and (claim := claims.claim_one(slot.pk, owner=owner, lease_seconds=LEASE)) is not None
    ]
    admitted, turned_back = gates.admit(claimed)
    slots.release_many(turned_back)
    attempts, ended = renewal_steps.prepare(admitted)
    answers = [renewal_steps.send(attempt) for attempt in renewal_steps.mark(attempts)]
    return [*ended, *renewal_steps.conclude(answers)]


def passed(registration: ClientRegistration, seconds: float) -> None:
    """Let gate and slots be as they will be after so many seconds."""
    back = timedelta(seconds=seconds)
    names = ("open_until", "changed_at", "doubts_at", "bucket_at", "window_at")
    RegistrationGate.objects.filter(pk=registration.pk).update(**{name: F(name) - back for name in names})
    RenewalSlot.objects.filter(registration_id=registration.pk).update(
        due_at=F("due_at") - back, failed_at=F("failed_at") - back
    )
    view.forget()


def gate_of(registration: ClientRegistration) -> tuple[str, str]:
    gate = RegistrationGate.objects.filter(pk=registration.pk).first()
    return (gate.state, gate.cause) if gate else ("closed", "")


def states() -> set[tuple[str, str]]:
    return set(Connection.objects.values_list("state", "reason"))
