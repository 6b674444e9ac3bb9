"""Move a connection from one state to another: row, audit event and outbox event together, once a transition."""

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from broker.services import outbox
from tenants import audit
from tenants.audit import Actor
from tenants.models import Connection, Reason, State

# The states in which a credential is handed out and renewed.
LIVE = (State.CONNECTED, State.DEGRADED)
MISMATCH = "connection.account_mismatch"
_EVENTS = {
    State.CONNECTED: "connection.connected",
    State.DEGRADED: "connection.degraded",
    State.REAUTHORIZATION_REQUIRED: "connection.reauthorization_required",
    State.SUSPENDED: "connection.suspended",
    State.DISCONNECTED: "connection.disconnected",
}
_OUTAGE = (Reason.PROVIDER_UNAVAILABLE, Reason.RATE_LIMITED)
# A sign-in with another company waits for somebody's word: no renewal and no report says anything about it.
_WAITS = Q(state=State.DEGRADED, reason=Reason.ACCOUNT_MISMATCH)


def move(
    connection: Connection,
    state: State,
    reason: Reason = Reason.NONE,
    *,
    actor: Actor = audit.SYSTEM,
    only_from: tuple[State, ...] = tuple(State),
    settled: bool = False,
    **detail: object,
) -> bool:
    """Set state and reason; False when they were so already, and then nothing is told to anybody.

    `only_from` guards what a renewal concludes: somebody may have disconnected or suspended the row since it was read.
    `settled`: what a connection waits for that is `account_mismatch` has been decided; without it, it goes on waiting.

    Effects: the connection row, one audit and one outbox event, in one transaction.
    """
    with transaction.atomic():
        rows = Connection.objects.filter(pk=connection.pk, state__in=only_from).exclude(state=state, reason=reason)
        if state in LIVE and not settled:
            rows = rows.exclude(_WAITS)
        if not rows.update(state=state, reason=reason, state_changed_at=Now()):
            return False
        event = _event(connection.state, state, reason)
        audit.record_for(connection, event, actor, reason=reason.value, previous=connection.state, **detail)
        if not _goes_on(connection, state, reason):
            _tell(connection, event, state, reason)
    connection.state, connection.reason = state, reason
    return True


def _goes_on(before: Connection, state: State, reason: Reason) -> bool:
    """The same trouble in another guise: an outage that alternates between the two is told once."""
    degraded = before.state == state == State.DEGRADED
    return degraded and before.reason in _OUTAGE and reason in _OUTAGE


def _tell(before: Connection, event: str, state: State, reason: Reason) -> None:
    outbox.write(
        event,
        tenant_id=before.tenant_id,
        connection_id=before.id,
        provider=before.provider_id,
        state=state.value,
        reason=reason.value,
        previous_state=str(before.state),
    )


def _event(before: str, state: State, reason: Reason) -> str:
    if state is State.DEGRADED and reason is Reason.ACCOUNT_MISMATCH:
        return MISMATCH
    if state is State.CONNECTED and before in (State.DEGRADED, State.SUSPENDED):
        return "connection.recovered"
    return _EVENTS[state]
