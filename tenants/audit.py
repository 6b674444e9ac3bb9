"""Record who did what, in the transaction of the change itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenants.models import AuditEvent, Connection


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a customer in a browser, a caller, a member of staff, or the broker itself."""

    kind: str
    name: str = ""


SYSTEM = Actor(AuditEvent.Actor.SYSTEM)
CUSTOMER = Actor(AuditEvent.Actor.CUSTOMER)


def caller(name: str) -> Actor:
    return Actor(AuditEvent.Actor.CALLER, name)


def staff(username: str) -> Actor:
    return Actor(AuditEvent.Actor.STAFF, username)


def record(
    action: str,
    actor: Actor,
    *,
    tenant_id: UUID | None,
    connection_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append one event. Effects: one row, in the caller's transaction. `detail` holds no secret."""
    AuditEvent.objects.create(
        action=action,
        actor_kind=actor.kind,
        actor=actor.name,
        tenant_id=tenant_id,
        connection_id=connection_id,
        detail=dict(detail or {}),
    )


def record_for(connection: Connection, action: str, actor: Actor, **detail: Any) -> None:
    """Append one event about a connection."""
    record(action, actor, tenant_id=connection.tenant_id, connection_id=connection.id, detail=detail)
