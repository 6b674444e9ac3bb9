"""One incident for a client registration that its provider refuses: staff repair it, no connection is blamed."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from broker.services import outbox
from providers.errors import ProviderError
from tenants import audit
from tenants.models import ClientRegistration, Connection


def report(connection: Connection, error: ProviderError) -> None:
    """Open the incident of a connection's registration."""
    report_for(connection.registration, connection.tenant_id, error)


def report_for(registration: ClientRegistration, tenant_id: UUID, error: ProviderError) -> None:
    """Open a registration's incident; a second report of an open one changes nothing."""
    with transaction.atomic():
        opened = ClientRegistration.objects.filter(pk=registration.pk, incident_since=None).update(
            incident_since=Now(), incident=error.error or type(error).__name__
        )
        if opened:
            _tell(
                "registration.incident",
                registration,
                tenant_id,
                error=error.error,
                description=error.description,
            )


def heal(connection: Connection) -> None:
    """Close the registration's incident: a renewal through it worked."""
    if connection.registration.incident_since is None:
        return
    with transaction.atomic():
        closed = (
            ClientRegistration.objects.filter(pk=connection.registration_id)
            .exclude(incident_since=None)
            .update(incident_since=None, incident="")
        )
        if closed:
            _tell("registration.healed", connection.registration, connection.tenant_id)


def _tell(event: str, registration: ClientRegistration, tenant_id: UUID, **detail: object) -> None:
    registration_id, provider = str(registration.pk), registration.provider_id
    facts = {"registration_id": registration_id, "provider": provider, **detail}
    audit.record(event, audit.SYSTEM, tenant_id=registration.tenant_id, detail=facts)
    outbox.write(event, tenant_id=tenant_id, registration_id=registration_id, provider=provider)
