"""Rows as the API shows them."""

from typing import Any

from broker.api.schemas import ConnectionOut, ConnectSessionOut, TimelineEntry
from broker.errors import BrokerError
from broker.services import admission, credentials, directory, sessions
from tenants.models import AuditEvent, Connection, ConnectSession, Reason
from tenants.querysets.connection_pages import Listed

_TIMELINE_LENGTH = 50
_REASONS = {reason.value: str(reason.label) for reason in Reason}
# For the tenant's audit: who looked, and what was signed; neither is something that happened to the connection.
_NOT_SHOWN = ("staff.viewed", "request.signed")


def summary(row: Listed) -> dict[str, Any]:
    """Return the members of a ConnectionSummary."""
    return {
        "id": row.id,
        "tenant": row.tenant,
        "provider": row.provider,
        "environment": row.environment,
        "label": row.label,
        "state": row.state,
        "reason": row.reason,
        "reason_text": _REASONS.get(row.reason, row.reason),
        "external_account": row.account,
        "external_account_id": row.account_id,
        "connected_at": row.connected_at,
    }


def _listed(row: Connection) -> Listed:
    return Listed(
        id=row.id,
        tenant=row.tenant.slug,
        provider=row.provider_id,
        environment=row.registration.environment,
        label=row.label,
        state=row.state,
        reason=row.reason,
        account=row.external_name,
        account_id=row.external_subject,
        connected_at=row.connected_at,
        created_at=row.created_at,
    )


def connection(row: Connection) -> ConnectionOut:
    """Shape: row with tenant, registration, credential and slot selected."""
    credential, slot = getattr(row, "credential", None), getattr(row, "slot", None)
    return ConnectionOut(
        **summary(_listed(row)),
        base_url=_base_url(row),
        scopes_asked=row.scopes_asked,
        scopes_granted=row.scopes_granted,
        scopes_missing=[scope for scope in row.scopes_asked if scope not in row.scopes_granted],
        access_token_expires_at=credential.expires_at if credential else None,
        version=credential.version if credential else None,
        next_renewal_at=slot.due_at if slot else None,
        timeline=timeline(row),
    )


def _base_url(row: Connection) -> str | None:
    """Where the provider's API lives; None when the registration, or the catalogue, no longer says so."""
    try:
        registration = credentials.registration_without_secrets(row.registration)
        return admission.base_url(directory.provider(row.provider_id), registration)
    except BrokerError:
        return None


def timeline(row: Connection) -> list[TimelineEntry]:
    """The last events, newest first; the names of staff stay inside."""
    events = AuditEvent.objects.filter(connection_id=row.id).exclude(action__in=_NOT_SHOWN).order_by("-id")
    return [
        TimelineEntry(at=event.at, action=event.action, actor=event.actor_kind, detail=event.detail)
        for event in events[:_TIMELINE_LENGTH]
    ]


def connect_session(row: ConnectSession) -> ConnectSessionOut:
    return ConnectSessionOut(
        id=row.id,
        tenant=row.tenant.slug,
        providers=row.providers,
        state=sessions.state_of(row),
        outcome=row.outcome,
        connection=row.connection_id,
        expires_at=row.expires_at,
    )
