"""One sign-in that reaches several companies: which of them the connection is for.

While the customer chooses, the flow holds the tokens, sealed; nothing is connected yet. The list that was shown is kept
with them, but what is chosen is looked for in the provider's own, asked anew.
"""

import json
import logging
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from broker.services import client_secrets, concluding, connecting, credentials, directory, entered_refusals, orphans
from broker.services.credential_text import decode_tokens, encode
from broker.services.entered_refusals import EntryRefused
from broker.services.storing import Arrival
from providers.errors import ProviderError, ProviderUnavailable, ResponseMalformed
from providers.generic import OAuthProvider
from providers.messages import ClientRegistration as Registration
from providers.messages import Company, OAuthCredential, TokenResponse
from tenants.errors import TenantsError
from tenants.models import AuthorizationRequest
from tenants.models.authorization import choosing_context
from tenants.querysets.rows import database_now

__all__ = ["EntryRefused", "choose_company", "companies_of", "offer", "open_held"]
logger = logging.getLogger(__name__)
_CHOOSING = AuthorizationRequest.Status.CHOOSING
_MOST_COMPANIES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a flow holds while the customer chooses. Units: life_seconds from when the flow began to wait."""

    credential: OAuthCredential
    life_seconds: float | None
    companies: tuple[Company, ...] = field(repr=False)


def offer(
    flow: AuthorizationRequest, registration: Registration, provider: OAuthProvider, response: TokenResponse
) -> str:
    """Return the outcome of a flow whose tokens have come; empty when the customer has to choose first.

    A single company is taken at once, and so is the one that a connection under repair belongs to.
    Effects: one GET to the provider, then rows as `connecting` says, or the flow is `choosing` and holds the tokens.
    """
    fresh = credentials.merge(response, None, provider.default_scopes(registration))
    try:
        companies = provider.companies(registration, fresh)[:_MOST_COMPANIES]
    except ProviderError as error:
        orphans.give_back(flow.registration, fresh)
        return connecting.report_failed_exchange(flow, provider, error)
    held = Held(credential=fresh, life_seconds=response.expires_in, companies=companies)
    repaired = flow.session.connection
    if repaired is not None and repaired.external_subject:
        return _settle_own(flow, registration, provider, held)
    if len(companies) == 1:
        return connecting.settle(flow, _arrival(flow, registration, provider, held, companies[0]))
    _wait(flow, held)
    return ""


def companies_of(flow: AuthorizationRequest) -> tuple[Company, ...]:
    """Return what the customer can choose from, as the provider listed it; nothing for a flow that does not wait."""
    if flow.status != _CHOOSING or flow.expires_at <= timezone.now():
        return ()
    try:
        return open_held(flow).companies
    except TenantsError:
        logger.exception("a choice could not be opened", extra={"registration_id": flow.registration_id})
        return ()


def choose_company(flow: AuthorizationRequest, company_id: str) -> AuthorizationRequest:
    """Connect with one of the companies. Returns the flow with its outcome.

    Raises: EntryRefused with unknown_company, or when the provider does not answer now: the customer may try again.
    Effects: one GET to the provider, the flow is over, rows as `connecting` says.
    """
    if flow.status != _CHOOSING or flow.expires_at <= timezone.now():
        return concluding.seen_before(flow)
    provider = directory.authorizing(flow.provider_id)
    try:
        held, registration = open_held(flow), client_secrets.opened(flow.registration)
    except TenantsError:
        logger.exception("a choice could not be opened", extra={"registration_id": flow.registration_id})
        return concluding.conclude(flow, "interrupted")
    try:
        # Anew: neither the form nor an older list says what the tokens reach.
        companies = provider.companies(registration, held.credential)
    except ProviderError as error:
        return _cannot_choose(flow, provider, held, error)
    chosen = next((each for each in companies if each.id == company_id), None)
    if chosen is None:
        raise EntryRefused("unknown_company", fields=("company",))
    if not _take(flow):
        return concluding.seen_before(flow)
    return concluding.conclude(flow, connecting.settle(flow, _arrival(flow, registration, provider, held, chosen)))


def _settle_own(flow: AuthorizationRequest, registration: Registration, provider: OAuthProvider, held: Held) -> str:
    """A repair: the connection's own company when the sign-in reaches it; else the tokens are kept aside."""
    repaired = flow.session.connection
    assert repaired is not None
    for company in held.companies:
        arrival = _arrival(flow, registration, provider, held, company)
        if arrival.account is not None and arrival.account.subject == repaired.external_subject:
            return connecting.settle(flow, arrival)
    other = _arrival(flow, registration, provider, held, held.companies[0])
    # Of several nobody has said which, and so there is none that staff could take.
    keep = connecting.keep_aside if len(held.companies) == 1 else connecting.turn_away
    keep(other, "account_mismatch")
    return "account_mismatch"


def _arrival(
    flow: AuthorizationRequest, registration: Registration, provider: OAuthProvider, held: Held, company: Company
) -> Arrival:
    credential, account = provider.choose(registration, held.credential, company)
    asked = provider.default_scopes(registration)
    return connecting.arrival_of(flow, asked, credential, account, held.life_seconds)


def _cannot_choose(
    flow: AuthorizationRequest, provider: OAuthProvider, held: Held, error: ProviderError
) -> AuthorizationRequest:
    if isinstance(error, ProviderUnavailable | ResponseMalformed):
        raise entered_refusals.of_answer(error, flow.registration) from None
    if not _take(flow):
        return concluding.seen_before(flow)
    orphans.give_back(flow.registration, held.credential)
    return concluding.conclude(flow, connecting.report_failed_exchange(flow, provider, error))


def _take(flow: AuthorizationRequest) -> bool:
    """Of two who choose at once, one goes on. The tokens stay on the flow until it has an outcome."""
    waiting = AuthorizationRequest.objects.filter(pk=flow.pk, status=_CHOOSING, expires_at__gt=Now())
    return bool(waiting.update(status=AuthorizationRequest.Status.CONSUMED))


def _wait(flow: AuthorizationRequest, held: Held) -> None:
    plaintext = json.dumps(
        {
            "credential": encode(held.credential).decode(),
            "life_seconds": held.life_seconds,
            "companies": [[each.id, each.name] for each in held.companies],
        }
    )
    sealed = credentials.seal_under(flow.data_key, choosing_context(flow.tenant_id, flow.pk), plaintext.encode())
    AuthorizationRequest.objects.filter(pk=flow.pk).update(
        status=_CHOOSING, sealed_credential=sealed.blob, sealed_response=None, expires_at=Now() + _patience()
    )
    flow.status = _CHOOSING


def open_held(flow: AuthorizationRequest) -> Held:
    """Return what a waiting flow holds. Raises SealBroken, KeyUnavailable."""
    assert flow.sealed_credential is not None
    context = choosing_context(flow.tenant_id, flow.pk)
    members = json.loads(credentials.unseal(flow.data_key, context, flow.sealed_credential))
    life = members["life_seconds"]
    waited = (database_now() - (flow.expires_at - _patience())).total_seconds()
    return Held(
        credential=decode_tokens(members["credential"].encode()),
        life_seconds=None if life is None else max(life - waited, 1.0),
        companies=tuple(Company(id=each[0], name=each[1]) for each in members["companies"]),
    )


def _patience() -> timedelta:
    return timedelta(seconds=settings.AUTHORIZATION_REQUEST_SECONDS)
