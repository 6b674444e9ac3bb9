"""Ends to come, told as they are each day: rows for tests of the pages that show them."""

from datetime import timedelta

from broker.services import forecast
from tenants.models import ClientRegistration, Connection, Credential, ExpiryNotice
from tenants.querysets.rows import database_now


def secret_ends(registration: ClientRegistration, *, days: float = 5.5) -> ExpiryNotice:
    ends_at = database_now() + timedelta(days=days)
    ClientRegistration.objects.filter(pk=registration.pk).update(secret_expires_at=ends_at)
    return _told(registration.pk)


def life_ends(connection: Connection, *, days: float, lifetime: int = 730) -> ExpiryNotice:
    """As long as the provider's authorizations live for `lifetime` days."""
    granted_at = database_now() - timedelta(days=lifetime - days)
    Credential.objects.filter(pk=connection.pk).update(grant_issued_at=granted_at)
    return _told(connection.pk)


def _told(subject_id: object) -> ExpiryNotice:
    forecast.tell_ends(database_now())
    return ExpiryNotice.objects.get(subject_id=subject_id)
