"""From a token response to a connected connection: whose account it is, which row it belongs to, what is stored."""

import random

from django.db import transaction
from django.db.models.functions import Now

from broker.services import credentials, incidents, schedule, states
from providers.errors import ClientRejected, ProviderError
from providers.generic import OAuthProvider
from providers.messages import ClientRegistration as Registration
from providers.messages import ExternalAccount, OAuthCredential, TokenResponse
from tenants import audit
from tenants.models import AuthorizationRequest, Connection, ConnectSession, CredentialOrphan, Reason, State
from tenants.querysets import slots


def connect(
    flow: AuthorizationRequest, registration: Registration, provider: OAuthProvider, response: TokenResponse
) -> str:
    """Store the new credential and return `connected`, or why the old one was kept.

    A connection that belongs to one company never silently becomes another's: tokens of a different account, or of one
    that could not be asked for, are revoked and the connection stays as it was.
    """
    asked = provider.default_scopes(registration)
    fresh = credentials.merge(response, None, asked)
    account = _identify(provider, registration, fresh)
    repaired = flow.session.connection
    if repaired is not None and repaired.external_subject:
        refusal = _refusal(repaired, account)
        if refusal:
            return _turn_away(flow, repaired, fresh, refusal)
    _store(flow, asked, fresh, account, response.expires_in)
    return "connected"


def report_failed_exchange(flow: AuthorizationRequest, error: ProviderError) -> str:
    """Return the outcome of a code exchange that failed; a refused registration is staff's incident."""
    if not isinstance(error, ClientRejected):
        return "code_rejected" if error.error == "invalid_grant" else "provider_unavailable"
    incidents.report_for(flow.registration, flow.tenant_id, error)
    return "registration_rejected"


def _identify(provider: OAuthProvider, registration: Registration, fresh: OAuthCredential) -> ExternalAccount | None:
    try:
        return provider.identify(registration, fresh)
    except ProviderError:
        return None


def _refusal(repaired: Connection, account: ExternalAccount | None) -> str:
    if account is None:
        return "account_unconfirmed"
    same = (account.issuer, account.subject) == (repaired.external_issuer, repaired.external_subject)
    return "" if same else "account_mismatch"


def _turn_away(flow: AuthorizationRequest, repaired: Connection, fresh: OAuthCredential, outcome: str) -> str:
    with transaction.atomic():
        credentials.store_orphan(
            tenant_id=flow.tenant_id,
            connection_id=repaired.id,
            fence=0,
            credential=fresh,
            outcome=CredentialOrphan.Outcome.REVOKE,
        )
        audit.record_for(repaired, f"authorization.{outcome}", audit.CUSTOMER, session=str(flow.session_id))
    return outcome


@transaction.atomic
def _store(
    flow: AuthorizationRequest,
    asked: tuple[str, ...],
    fresh: OAuthCredential,
    account: ExternalAccount | None,
    life_seconds: int | None,
) -> None:
    """Everything in one transaction: fence first, so that a renewal in flight can no longer write."""
    row = _row_for(flow, account)
    row.scopes_asked, row.scopes_granted = list(asked), list(fresh.scope)
    if account is not None:
        row.external_issuer, row.external_subject = account.issuer, account.subject
        row.external_name = account.name
    row.save()
    Connection.objects.filter(pk=row.pk).update(connected_at=Now())
    version = slots.seize(row.pk)
    credentials.store(row, version, fresh, life_seconds)
    renewable = life_seconds if fresh.refresh_token else None
    due = schedule.due_in(renewable, random.random())  # noqa: S311  jitter
    suspended = row.state == State.SUSPENDED
    slots.schedule(row.pk, version, due_in_seconds=None if suspended else due)
    ConnectSession.objects.filter(pk=flow.session_id).update(connection=row)
    flow.session.connection = row
    _announce(row, asked, fresh, version)


def _announce(row: Connection, asked: tuple[str, ...], fresh: OAuthCredential, version: int) -> None:
    audit.record_for(row, "credential.stored", audit.CUSTOMER, version=version, account=row.external_name)
    if row.state == State.SUSPENDED:
        # A customer with an older link brings new tokens, but only staff end what staff began.
        return
    missing = sorted(set(asked) - set(fresh.scope))
    if missing:
        states.move(row, State.DEGRADED, Reason.SCOPE_MISSING, actor=audit.CUSTOMER, missing=missing)
    else:
        states.move(row, State.CONNECTED, actor=audit.CUSTOMER)


def _row_for(flow: AuthorizationRequest, account: ExternalAccount | None) -> Connection:
    """The connection to repair; else the one this account has here already; else a new one."""
    if flow.session.connection is not None:
        return Connection.objects.select_for_update().get(pk=flow.session.connection.pk)
    known = None
    if account is not None:
        known = (
            Connection.objects.select_for_update()
            .for_tenant(flow.tenant_id)
            .filter(
                registration=flow.registration,
                external_issuer=account.issuer,
                external_subject=account.subject,
                label=flow.session.label,
            )
            .first()
        )
    return known or Connection(
        tenant_id=flow.tenant_id,
        registration=flow.registration,
        provider_id=flow.provider_id,
        label=flow.session.label,
    )
