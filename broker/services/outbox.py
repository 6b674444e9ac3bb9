"""Write down what changed, in the transaction of the change."""

from datetime import UTC
from typing import Any
from uuid import UUID

from tenants.models import OutboxEvent

# Sent to one endpoint alone, on demand; in nobody's list of events.
TEST = "webhook.test"
# What may happen; docs/webhooks.md has an example of each.
TYPES = (
    "connection.connected",
    "connection.degraded",
    "connection.recovered",
    "connection.reauthorization_required",
    "connection.expires_soon",
    "connection.scope_reduced",
    "connection.account_mismatch",
    "connection.suspended",
    "connection.disconnected",
    "registration.incident",
    "registration.healed",
    "registration.expires_soon",
    "caller.throttled",
)


def write(event_type: str, *, tenant_id: UUID | None, connection_id: UUID | None = None, **payload: Any) -> None:
    """Append one event: a transition, not an attempt. Effects: one row. The payload holds no secret.

    Shape:  tenant_id None for what is no tenant's. What the rows say of connection and registration is added when it
            is published: `registration_id` in the payload names the latter.
    """
    OutboxEvent.objects.create(type=event_type, tenant_id=tenant_id, connection_id=connection_id, payload=payload)


def message(event: OutboxEvent) -> dict[str, Any]:
    """Return what receivers of a published event get, the same whenever it is asked for."""
    at = event.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {"type": event.type, "timestamp": at, "data": event.payload}


def message_id(event: OutboxEvent) -> str:
    """Return the event's id as receivers know it: one for each try, each endpoint, and the list of events."""
    return f"msg_{event.uid.hex}"
