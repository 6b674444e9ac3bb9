"""Publish events: a position for each, what its receivers are told, and a delivery for each endpoint that is told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch

from broker.services.event_access import Audience, grant_of
from broker.services.policy import Grant
from tenants.models import Operation, Tenant, WebhookEndpoint
from tenants.querysets import publishing as rows
from tenants.querysets.publishing import Unpublished

_BATCH, _BATCHES = 500, 20
_PURGED_AT_ONCE = 5_000


def publish() -> int:
    """Publish what has been committed, some ten thousand events at most; return how many.

    One process at a time does, whoever comes first; the others have nothing to do.
    Effects: for each event, its position and payload, and its deliveries; a batch a transaction.
    """
    published = 0
    for _ in range(_BATCHES):
        done = _publish_batch() if rows.waiting() else 0
        published += done
        if done < _BATCH:
            break
    return published


@transaction.atomic
def _publish_batch() -> int:
    if not rows.hold():
        return 0
    events = [each._replace(payload=_told(each)) for each in rows.unpublished(_BATCH)]
    rows.publish([(each.id, each.payload) for each in events])
    rows.deliver(_deliveries(events))
    return len(events)


def _told(event: Unpublished) -> dict[str, Any]:
    """The event's data for good: whatever becomes of its rows, everybody is told the same."""
    given = {name: value for name, value in event.payload.items() if name != "registration_id"}
    if event.connection_id is not None:
        of_connection = {
            "connection": str(event.connection_id),
            "tenant": event.tenant,
            "provider": event.provider,
            "environment": event.environment,
            "label": event.label,
            "state": event.state,
            "reason": event.reason,
            "previous_state": None,
        }
        return of_connection | given
    registration = event.payload.get("registration_id")
    if registration is None:
        return given
    of_registration = {
        "registration": registration,
        "tenant": event.tenant,
        "provider": event.provider,
        "environment": event.environment,
    }
    return of_registration | given


def _deliveries(events: Sequence[Unpublished]) -> list[tuple[UUID, int, UUID]]:
    """In the events' order: the ids of deliveries are what keeps a connection's in order."""
    audience, endpoints = Audience(), _endpoints()
    return [
        (endpoint.pk, event.id, _order_key(event))
        for event in events
        for endpoint, grant in endpoints
        if _wants(endpoint, event)
        and audience.may_be_told(
            grant, tenant_id=event.tenant_id, connection_id=event.connection_id, payload=event.payload
        )
    ]


def _endpoints() -> list[tuple[WebhookEndpoint, Grant]]:
    tenants = Prefetch("caller__tenants", Tenant.objects.only("id"))
    found = WebhookEndpoint.objects.filter(disabled_at=None).select_related("caller").defer("sealed_secrets")
    granted = [(endpoint, grant_of(endpoint.caller)) for endpoint in found.prefetch_related(tenants)]
    return [(endpoint, grant) for endpoint, grant in granted if Operation.WEBHOOK_MANAGE.value in grant.operations]


def _wants(endpoint: WebhookEndpoint, event: Unpublished) -> bool:
    """What happened before somebody asked to be told is in the list of events."""
    return event.created_at >= endpoint.created_at and (not endpoint.types or event.type in endpoint.types)


def _order_key(event: Unpublished) -> UUID:
    registration = event.payload.get("registration")
    return event.connection_id or (UUID(registration) if registration else event.uid)


def purge(now: datetime) -> int:
    """Delete events, and their deliveries, that are older than EVENTS_KEPT_DAYS. Returns how many events."""
    before = now - timedelta(days=settings.EVENTS_KEPT_DAYS)
    deleted = 0
    while done := rows.purge(before=before, limit=_PURGED_AT_ONCE):
        deleted += done
    return deleted
