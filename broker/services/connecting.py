"""From a token response to a connected connection: whose account it is, and what becomes of a credential not kept."""

import logging

from django.db import transaction

from broker.services import credentials, incidents, orphans, parked, storing
from broker.services.storing import Arrival, CompanyTaken, TenantEnded
from providers.errors import AccountUnverified, ClientRejected, GrantRejected, ProviderError, RightMissing
from providers.generic import OAuthProvider
from providers.messages import ClientRegistration as Registration
from providers.messages import ExternalAccount, OAuthCredential, TokenResponse
from tenants import audit
from tenants.models import AuthorizationRequest, Connection, CredentialOrphan

logger = logging.getLogger(__name__)


def connect(
    flow: AuthorizationRequest, registration: Registration, provider: OAuthProvider, response: TokenResponse
) -> str:
    """Store the new credential and return `connected`, or why the old one was kept.

    Tokens of a different account than the connection's wait beside it, and those of one that could not be asked for are
    revoked: the connection goes on with what it holds.
    """
    asked = provider.default_scopes(registration)
    fresh = credentials.merge(response, None, asked)
    account = _identify(provider, registration, fresh)
    return settle(flow, arrival_of(flow, asked, fresh, account, response.expires_in))


def arrival_of(
    flow: AuthorizationRequest,
    asked: tuple[str, ...],
    fresh: OAuthCredential,
    account: ExternalAccount | None,
    life_seconds: float | None,
) -> Arrival:
    """Return what a flow has brought."""
    return Arrival(
        tenant_id=flow.tenant_id,
        registration=flow.registration,
        label=flow.session.label,
        repaired=flow.session.connection,
        asked=asked,
        credential=fresh,
        account=account,
        life_seconds=life_seconds,
        session=flow.session,
    )


def settle(flow: AuthorizationRequest, arrival: Arrival) -> str:
    """Store it and return `connected`; or return why not, with the tokens kept aside or revoked."""
    if refused := storing.refusal(arrival):
        keep_aside(arrival, refused)
        return refused
    try:
        flow.session.connection = storing.store_connected(arrival)
    except TenantEnded:
        _give_back(arrival)
        return "expired"
    except CompanyTaken as error:
        report_taken(arrival, error)
        orphans.give_back(arrival.registration, arrival.credential)
        return "company_taken"
    return "connected"


def keep_aside(arrival: Arrival, outcome: str) -> None:
    """Keep what the repaired connection has. Tokens of another account wait beside it; others are turned away."""
    if outcome != "account_mismatch" or not parked.park(arrival):
        turn_away(arrival, outcome)


def turn_away(arrival: Arrival, outcome: str) -> None:
    """Keep what the repaired connection has; the new credential is not used. Effects: an orphan, one audit event."""
    repaired = arrival.repaired
    assert repaired is not None
    with transaction.atomic():
        _give_back_later(repaired, arrival)
        detail = {"session": str(arrival.session.pk)} if arrival.session else {}
        audit.record_for(repaired, f"authorization.{outcome}", arrival.actor, **detail)


def report_taken(arrival: Arrival, error: CompanyTaken) -> None:
    """Tell staff which connection has the company; whoever asks is told only that one has it."""
    registration, account = arrival.registration, arrival.account
    audit.record(
        "authorization.company_taken",
        arrival.actor,
        tenant_id=arrival.tenant_id,
        # Of no connection: this tenant's callers may read its timeline, and the other tenant is nobody's business.
        detail={
            "provider": registration.provider_id,
            "account": account.subject if account else "",
            "held_by": str(error.held_by),
        },
    )


def _give_back(arrival: Arrival) -> None:
    """Now, where no row could remember to; else it is said until the provider has heard it."""
    if arrival.repaired is None:
        orphans.give_back(arrival.registration, arrival.credential)
    else:
        _give_back_later(arrival.repaired, arrival)


def _give_back_later(repaired: Connection, arrival: Arrival) -> None:
    if not orphans.can_be_revoked(repaired.provider_id, arrival.credential):
        return
    assert isinstance(arrival.credential, OAuthCredential)
    credentials.store_orphan(
        tenant_id=arrival.tenant_id,
        connection_id=repaired.pk,
        fence=0,
        credential=arrival.credential,
        outcome=CredentialOrphan.Outcome.REVOKE,
    )


def report_failed_exchange(flow: AuthorizationRequest, provider: OAuthProvider, error: ProviderError) -> str:
    """Return the outcome of a token request that failed; a refused registration is staff's incident."""
    logger.warning(
        "code exchange failed",
        extra={"provider_id": flow.provider_id, "failure": type(error).__name__, "error": error.error},
    )
    if isinstance(error, RightMissing | AccountUnverified):
        return _explained(provider, error)
    if not isinstance(error, ClientRejected):
        return "code_rejected" if isinstance(error, GrantRejected) else "provider_unavailable"
    incidents.report_for(flow.registration, error)
    return "registration_rejected"


def _explained(provider: OAuthProvider, error: ProviderError) -> str:
    """The provider's own code when its file has a sentence for it, which the page can then show."""
    code = (error.error or "").lower()
    if code and any(known.error.lower() == code and known.text for known in provider.definition.refusals):
        return code
    return "right_missing" if isinstance(error, RightMissing) else "account_unverified"


def _identify(provider: OAuthProvider, registration: Registration, fresh: OAuthCredential) -> ExternalAccount | None:
    try:
        return provider.identify(registration, fresh)
    except ProviderError:
        return None
