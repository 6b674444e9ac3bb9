"""Move a connection from one state to another: row, audit event and outbox event together, once a transition."""

from django.db import transaction
from django.db.models.functions import Now

from broker.services import outbox
from tenants import audit
from tenants.audit import Actor
from tenants.models import Connection, Reason, State

# The states in which a credential is handed out and renewed.
LIVE = (State.CONNECTED, State.DEGRADED)
_EVENTS = {
    State.CONNECTED: "connection.connected",
    State.DEGRADED: "connection.degraded",
    State.REAUTHORIZATION_REQUIRED: "connection.reauthorization_required",
    State.SUSPENDED: "connection.suspended",
    State.DISCONNECTED: "connection.disconnected",
}


def move(
    connection: Connection,
    state: State,
    reason: Reason = Reason.NONE,
    *,
    actor: Actor = audit.SYSTEM,
    only_from: tuple[State, ...] = tuple(State),
    **detail: object,
) -> bool:
    """Set state and reason; False when they were so already, and then nothing is told to anybody.

    `only_from` guards what a renewal concludes: somebody may have disconnected or suspended the row since it was read.

    Effects: the connection row, one audit and one outbox event, in one transaction.
    """
    with transaction.atomic():
        changed = (
            Connection.objects.filter(pk=connection.pk, state__in=only_from)
            .exclude(state=state, reason=reason)
            .update(state=state, reason=reason, state_changed_at=Now())
        )
        if not changed:
            return False
        recovered = state is State.CONNECTED and connection.state in (State.DEGRADED, State.SUSPENDED)
        event = "connection.recovered" if recovered else _EVENTS[state]
        audit.record_for(connection, event, actor, reason=reason.value, previous=connection.state, **detail)
        outbox.write(
            event,
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            state=state.value,
            reason=reason.value,
        )
    connection.state, connection.reason = state, reason
    return True
