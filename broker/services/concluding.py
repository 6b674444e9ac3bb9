"""How a flow ends: once, with an outcome that its result page and its link's maker are told."""

from django.db import transaction

from tenants import audit
from tenants.models import AuthorizationRequest, ConnectSession


def conclude(flow: AuthorizationRequest, outcome: str) -> AuthorizationRequest:
    """Return the flow with its outcome. Effects: flow and session; what it held is gone; an audit event on failure."""
    flow.outcome, flow.status = outcome[:40], AuthorizationRequest.Status.CONSUMED
    flow.sealed_response = flow.sealed_credential = None
    with transaction.atomic():
        AuthorizationRequest.objects.filter(pk=flow.pk).update(
            outcome=flow.outcome, status=flow.status, sealed_response=None, sealed_credential=None
        )
        # An older tab that ends late must not undo what another one has achieved.
        ConnectSession.objects.filter(pk=flow.session_id).exclude(outcome="connected").update(outcome=flow.outcome)
        if outcome != "connected":
            _record_failure(flow)
    return flow


def _record_failure(flow: AuthorizationRequest) -> None:
    audit.record(
        "authorization.failed",
        audit.CUSTOMER,
        tenant_id=flow.tenant_id,
        connection_id=flow.session.connection_id,
        detail={"provider": flow.provider_id, "outcome": flow.outcome, "session": str(flow.session_id)},
    )


def seen_before(flow: AuthorizationRequest) -> AuthorizationRequest:
    """Return a flow that was over already, or whose time is: as it ended, and else as expired."""
    flow.refresh_from_db(fields=["status", "outcome"])
    if flow.status != AuthorizationRequest.Status.CONSUMED:
        flow.outcome = "expired"
    return flow
