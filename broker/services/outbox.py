"""Write down what changed, in the transaction of the change."""

from typing import Any
from uuid import UUID

from tenants.models import OutboxEvent


def write(event_type: str, *, tenant_id: UUID | None, connection_id: UUID | None = None, **payload: Any) -> None:
    """Append one event: a transition, not an attempt. Effects: one row. The payload holds no secret."""
    OutboxEvent.objects.create(type=event_type, tenant_id=tenant_id, connection_id=connection_id, payload=payload)
