"""Which connection an error of a provider belongs to, by the reference that the provider gave it."""

from uuid import UUID

from django.db.models import QuerySet

from tenants.models import AuditEvent

_LONGEST = 200


def events_of(reference: str) -> QuerySet[AuditEvent, int]:
    """Return the ids of the audit events with exactly this reference."""
    return _found(reference).values_list("pk", flat=True)


def connections_of(reference: str) -> QuerySet[AuditEvent, UUID | None]:
    """Return the ids of the connections that an error with exactly this reference happened to."""
    return _found(reference).exclude(connection_id=None).values_list("connection_id", flat=True)


def _found(reference: str) -> QuerySet[AuditEvent]:
    # Both conditions: the index holds only the events that have a reference.
    asked = reference.replace("\x00", "")[:_LONGEST]
    return AuditEvent.objects.order_by().filter(detail__has_key="error_id", detail__error_id=asked)
