"""Which of a registration's client secrets to try: the one that worked last, then the others.

While a secret is being replaced, the old one is kept beside it: a provider may know the new one minutes later, or
never. The other is tried only after our client was refused, which uses nothing up.
"""

import logging
from dataclasses import dataclass
from uuid import UUID

from broker.services import credentials
from broker.services.gate_view import view
from providers.messages import ClientRegistration as Registration
from tenants import audit
from tenants.models import ClientRegistration
from tenants.querysets import gates

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Way(Registration):
    """A registration with one of its secrets, and which: counted from the newest, which is 0."""

    place: int = 0


def secret_order(registration: Registration, registration_id: UUID) -> list[Registration]:
    """Return the registration once for each client secret, the one to try first at the front; at least one."""
    if len(registration.client_secrets) < 2:
        return [registration]
    ways: list[Registration] = [_way(registration, place) for place in range(len(registration.client_secrets))]
    gate = view.get(registration_id)
    if gate is not None and 0 < gate.preferred_secret < len(ways):
        ways.insert(0, ways.pop(gate.preferred_secret))
    return ways


def _way(registration: Registration, place: int) -> _Way:
    return _Way(
        provider_id=registration.provider_id,
        environment=registration.environment,
        client_id=registration.client_id,
        client_secrets=(registration.client_secrets[place],),
        scopes=registration.scopes,
        token_endpoint_auth_method=registration.token_endpoint_auth_method,
        parameters=registration.parameters,
        place=place,
    )


def opened(row: ClientRegistration) -> Registration:
    """Return the registration with the secret that worked last. Raises SealBroken, KeyUnavailable."""
    return secret_order(credentials.registration_value(row), row.pk)[0]


def secret_worked(registration_id: UUID, used: Registration) -> None:
    """Remember that the provider accepted this one of `secret_order`. Effects: statements only when that is news."""
    place = used.place if isinstance(used, _Way) else 0
    gate = view.get(registration_id)
    known = gate.preferred_secret if gate is not None else 0
    if place == known:
        return
    gates.ensure(registration_id)
    if gates.prefer(registration_id, place):
        _tell(registration_id, place)
    view.forget()


def _tell(registration_id: UUID, place: int) -> None:
    event = "registration.new_secret_refused" if place else "registration.new_secret_accepted"
    row = ClientRegistration.objects.defer("sealed_secrets").get(pk=registration_id)
    audit.record(event, audit.SYSTEM, tenant_id=row.tenant_id, detail={"client_id": row.client_id})
    if place:
        logger.error("the new client secret is refused, the old one still works", extra={"registration_id": row.pk})
