"""What a provider's declared limit leaves for renewals ahead of time: four fifths of it; the rest is for who waits."""

import logging
from collections.abc import Iterable
from uuid import UUID

from broker.errors import BrokerError
from broker.services import credentials, directory
from providers.errors import DefinitionError, ProviderError
from tenants.models import ClientRegistration

logger = logging.getLogger(__name__)
_SHARE = 0.8
_BURST_SECONDS = 3.0
_rates: dict[UUID, float | None] = {}


def learn(registration_ids: Iterable[UUID]) -> None:
    """Look up the limits of these registrations. Effects: one query, when one of them is new to this process."""
    unknown = [registration_id for registration_id in registration_ids if registration_id not in _rates]
    if unknown:
        found = ClientRegistration.objects.defer("sealed_secrets").in_bulk(unknown)
        _rates.update({registration_id: _rate(found.get(registration_id)) for registration_id in unknown})


def rate(registration_id: UUID) -> float | None:
    """Return how many renewals a second may leave; None: nobody says. Effects: as `learn`."""
    learn([registration_id])
    return _rates[registration_id]


def burst(permits_a_second: float) -> float:
    """Return how many may leave at once after a pause."""
    return max(1.0, permits_a_second * _BURST_SECONDS)


def _rate(row: ClientRegistration | None) -> float | None:
    if row is None:
        return None
    try:
        traits = directory.provider(row.provider_id).traits(credentials.registration_without_secrets(row))
    except (BrokerError, DefinitionError, ProviderError):
        # Found again, and recorded, on the way to the provider.
        logger.info("no limit known", extra={"registration_id": row.pk})
        return None
    limit = traits.rate_limit_requests_per_minute
    return limit * _SHARE / 60 if limit else None
