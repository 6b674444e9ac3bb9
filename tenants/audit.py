"""Record who did what, in the transaction of the change itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenants.models import AuditEvent, Connection


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a customer in a browser, a caller, a member of staff, or the broker itself.

    Shape:  source is the address that the request came from; empty for the broker, and for a command.
            on_behalf_of is the user for whom a caller says that it acts, one of its own and not of ours.
    """

    kind: str
    name: str = ""
    source: str = ""
    on_behalf_of: str = ""


SYSTEM = Actor(AuditEvent.Actor.SYSTEM)
CUSTOMER = Actor(AuditEvent.Actor.CUSTOMER)
# A customer's one request passes through a dozen functions that have no use for its address.
_customers_source: ContextVar[str] = ContextVar("customers_source", default="")


def caller(name: str, source: str = "", on_behalf_of: str = "") -> Actor:
    return Actor(AuditEvent.Actor.CALLER, name, source, on_behalf_of)


def staff(username: str, source: str = "") -> Actor:
    return Actor(AuditEvent.Actor.STAFF, username, source)


@contextmanager
def customer_at(source: str) -> Iterator[None]:
    """Within it, what CUSTOMER does comes from this address."""
    token = _customers_source.set(source)
    try:
        yield
    finally:
        _customers_source.reset(token)


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
        source=actor.source or (_customers_source.get() if actor == CUSTOMER else ""),
        on_behalf_of=actor.on_behalf_of,
        tenant_id=tenant_id,
        connection_id=connection_id,
        detail=dict(detail or {}),
    )


def record_for(connection: Connection, action: str, actor: Actor, **detail: Any) -> None:
    """Append one event about a connection."""
    record(action, actor, tenant_id=connection.tenant_id, connection_id=connection.id, detail=detail)
