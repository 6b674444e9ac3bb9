"""Webhook endpoints: made, changed, tested and ended by their callers, or by staff."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from broker.errors import InvalidRequest, StorageFault, WebhookDeliveryNotFound, WebhookEndpointNotFound
from broker.services import outbox, webhook_secrets, webhook_targets
from broker.services.policy import Grant
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.querysets import deliveries
from tenants.querysets.rows import database_now

Because = WebhookEndpoint.DisabledBecause
MOST_ENDPOINTS = 20
OVERLAP_SECONDS, LONGEST_OVERLAP_SECONDS = 86_400, 7 * 86_400


def of(grant: Grant) -> QuerySet[WebhookEndpoint]:
    """Return a caller's own endpoints, newest first."""
    return WebhookEndpoint.objects.filter(caller_id=grant.caller_id).defer("sealed_secrets")


def find(grant: Grant, endpoint_id: UUID) -> WebhookEndpoint:
    """Raises WebhookEndpointNotFound, for another caller's as for none."""
    found = of(grant).filter(pk=endpoint_id).first()
    if found is None:
        raise WebhookEndpointNotFound()
    return found


def deliveries_of(grant: Grant) -> QuerySet[WebhookDelivery]:
    """Return the deliveries to a caller's endpoints, with their events."""
    return WebhookDelivery.objects.filter(endpoint__caller_id=grant.caller_id).select_related("event", "endpoint")


def page(row: WebhookEndpoint, *, state: str | None, after: UUID | None, limit: int) -> list[WebhookDelivery]:
    """Return deliveries to an endpoint, newest first, from the one after which to go on. Raises InvalidRequest."""
    rows = WebhookDelivery.objects.filter(endpoint=row)
    if after is not None:
        place = rows.filter(uid=after).values_list("pk", flat=True).first()
        if place is None:
            raise InvalidRequest("cursor is not one that this API gave")
        rows = rows.filter(pk__lt=place)
    rows = rows.filter(state=state) if state else rows
    return list(rows.select_related("event").order_by("-pk")[:limit])


def find_delivery(grant: Grant, delivery_id: UUID) -> WebhookDelivery:
    """Raises WebhookDeliveryNotFound."""
    found = deliveries_of(grant).filter(uid=delivery_id).first()
    if found is None:
        raise WebhookDeliveryNotFound()
    return found


def create(
    grant: Grant, *, url: str, types: Sequence[str], description: str, actor: Actor
) -> tuple[WebhookEndpoint, str]:
    """Return the endpoint and its secret in clear: the only moment at which it can be seen.

    Raises: WebhookTargetRefused, InvalidRequest. Effects: one row, one audit event.
    """
    _check_types(types)
    webhook_targets.check(url)
    secret = webhook_secrets.fresh()
    row = WebhookEndpoint(caller_id=grant.caller_id, url=url, types=sorted(set(types)), description=description)
    with transaction.atomic():
        if of(grant).count() >= MOST_ENDPOINTS:
            raise InvalidRequest(f"a caller has {MOST_ENDPOINTS} webhook endpoints at most")
        webhook_secrets.put(row, [secret])
        row.save(force_insert=True)
        _record("webhook.endpoint_created", row, actor)
    return find(grant, row.pk), secret


def change(
    row: WebhookEndpoint,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
    description: str | None = None,
    actor: Actor,
) -> None:
    """Set what is given. Raises: WebhookTargetRefused, InvalidRequest. Effects: the row, one audit event."""
    if types is not None:
        _check_types(types)
        types = sorted(set(types))
    if url is not None and url != row.url:
        webhook_targets.check(url)
    given = {"url": url, "types": types, "description": description}
    changes = {name: value for name, value in given.items() if value is not None and value != getattr(row, name)}
    if not changes:
        return
    with transaction.atomic():
        WebhookEndpoint.objects.filter(pk=row.pk).update(**changes)
        _record("webhook.endpoint_changed", row, actor, changed=sorted(changes))
    for name, value in changes.items():
        setattr(row, name, value)


def _check_types(types: Sequence[str]) -> None:
    unknown = sorted(set(types) - set(outbox.TYPES))
    if unknown:
        raise InvalidRequest(f"types: there is no event type {unknown[0][:64]!r}")


def delete(row: WebhookEndpoint, *, actor: Actor) -> None:
    """End an endpoint with all that waits for it. Effects: rows are gone, one audit event."""
    with transaction.atomic():
        _record("webhook.endpoint_deleted", row, actor)
        row.delete()


def disable(endpoint_id: UUID, because: Because, *, actor: Actor) -> bool:
    """Send it nothing more, and drop what waits; False when it was disabled before. Effects: rows, one audit event."""
    with transaction.atomic():
        rows = WebhookEndpoint.objects.filter(pk=endpoint_id, disabled_at=None)
        if not rows.update(disabled_at=Now(), disabled_because=because):
            return False
        deliveries.drop_waiting(endpoint_id)
        row = WebhookEndpoint.objects.select_related("caller").defer("sealed_secrets").get(pk=endpoint_id)
        _record("webhook.endpoint_disabled", row, actor, because=because.value)
    return True


def enable(endpoint_id: UUID, *, actor: Actor) -> bool:
    """Send it what happens from now on; False when it is not disabled. Effects: the row, one audit event."""
    with transaction.atomic():
        rows = WebhookEndpoint.objects.filter(pk=endpoint_id).exclude(disabled_at=None)
        fresh = {"disabled_because": Because.NOT, "failures": 0, "failing_since": None, "paused_until": None}
        if not rows.update(disabled_at=None, **fresh):
            return False
        row = WebhookEndpoint.objects.select_related("caller").defer("sealed_secrets").get(pk=endpoint_id)
        _record("webhook.endpoint_enabled", row, actor)
    return True


def rotate_secret(row: WebhookEndpoint, *, overlap_seconds: int, actor: Actor) -> tuple[str, datetime | None]:
    """Return a new secret in clear, and until when the one before signs as well; None: it does not.

    Raises: StorageFault. Effects: the row, one audit event. No more than two secrets sign at any time.
    """
    secret, now = webhook_secrets.fresh(), database_now()
    ends = now + timedelta(seconds=overlap_seconds) if overlap_seconds else None
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update(of=("self",)).select_related("data_key").get(pk=row.pk)
        before = _newest_secret(locked, now) if ends else []
        webhook_secrets.put(locked, [*before, secret])
        locked.previous_secrets_end_at = ends
        locked.save(update_fields=["sealed_secrets", "data_key", "previous_secrets_end_at"])
        _record("webhook.secret_rotated", row, actor, overlap_seconds=overlap_seconds)
    return secret, ends


def _newest_secret(row: WebhookEndpoint, now: datetime) -> list[str]:
    try:
        return webhook_secrets.valid(row, now)[-1:]
    except TenantsError:
        raise StorageFault() from None


def send_test(row: WebhookEndpoint, *, actor: Actor) -> WebhookDelivery:
    """Return the delivery of a test event that is on its way. Raises InvalidRequest. Effects: rows, an audit event."""
    _refuse_disabled(row)
    with transaction.atomic():
        event = OutboxEvent.objects.create(type=outbox.TEST, tenant_id=None, payload={"endpoint": str(row.pk)})
        # Below zero: neither for the publisher nor in anybody's list of events.
        OutboxEvent.objects.filter(pk=event.pk).update(position=-event.pk)
        delivery = WebhookDelivery.objects.create(endpoint=row, event=event, order_key=uuid.uuid4())
        _rouse(row)
        _record("webhook.test", row, actor)
    return by_id(delivery.pk)


def replay(row: WebhookDelivery, *, actor: Actor) -> WebhookDelivery:
    """Return the delivery that sends the event again, out of turn; one that still waits is only sent at once.

    Shape:  row with its endpoint. Raises InvalidRequest for a disabled endpoint. Effects: rows, one audit event.
    """
    _refuse_disabled(row.endpoint)
    with transaction.atomic():
        waits = WebhookDelivery.objects.filter(pk=row.pk, state=WebhookDelivery.State.WAITING)
        if not waits.update(due_at=Now()):
            row = WebhookDelivery.objects.create(
                endpoint=row.endpoint, event_id=row.event_id, order_key=uuid.uuid4(), replayed=True
            )
        _rouse(row.endpoint)
        again = by_id(row.pk)
        _record("webhook.replayed", row.endpoint, actor, delivery=str(again.uid))
    return again


def by_id(delivery_id: int) -> WebhookDelivery:
    """Return a delivery as it stands in the database, with its event and endpoint."""
    return WebhookDelivery.objects.select_related("event", "endpoint").get(pk=delivery_id)


def _refuse_disabled(row: WebhookEndpoint) -> None:
    if row.disabled_at is not None:
        raise InvalidRequest("the endpoint is disabled; enable it first")


def _rouse(row: WebhookEndpoint) -> None:
    """Somebody is looking: an endpoint that rests is tried now."""
    WebhookEndpoint.objects.filter(pk=row.pk).update(paused_until=None)


def _record(action: str, row: WebhookEndpoint, actor: Actor, **detail: object) -> None:
    # The host alone: some receivers take a secret in the rest of the address.
    facts = {"caller": row.caller.name, "endpoint": str(row.pk), "host": urlsplit(row.url).hostname, **detail}
    audit.record(action, actor, tenant_id=None, detail=facts)
