"""From a filled-in form to a connection: read the values, prove them by one real call, and only then store anything."""

import logging
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from broker.errors import ConnectLinkExpired
from broker.services import (
    client_secrets,
    connecting,
    credentials,
    entered_refusals,
    incidents,
    sessions,
    storing,
    verifying,
)
from broker.services.authorize import Started
from broker.services.entered_refusals import EntryRefused
from broker.services.storing import Arrival, CompanyTaken, TenantEnded
from providers.errors import DefinitionError, ProviderError, RequestRefused
from providers.messages import EnteredCredential
from providers.protocol.entered import read_entered
from tenants import audit
from tenants.errors import TenantsError
from tenants.models import AuthorizationRequest, ClientRegistration, ConnectSession

__all__ = ["EntryRefused", "Started", "enter"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    session: ConnectSession
    provider_id: str
    registration: ClientRegistration
    entered: EnteredCredential


def enter(session: ConnectSession, provider_id: str, typed: Mapping[str, str]) -> Started:
    """Connect with what a customer typed in. The link is used up by success only.

    Raises: EntryRefused for values that are malformed or that the provider does not accept; InvalidRequest,
            ProviderNotAvailable, OperationUnsupported, ConnectLinkExpired.
    Effects: one attempt counted and one call to the provider, outside any transaction; then rows as `storing` says,
            and a flow that is over, for the result page of this browser.
    """
    if database.in_atomic_block:
        raise RuntimeError("a verification inside a transaction would hold it open for the provider's whole answer")
    registration = sessions.registration_of(session, provider_id)
    provider = verifying.verifier(provider_id)
    try:
        entered = read_entered(provider.definition, typed)
    except RequestRefused as error:
        raise entered_refusals.of_value(error) from None
    attempt = _Attempt(session=session, provider_id=provider_id, registration=registration, entered=entered)
    return _stored(attempt, _verified(attempt))


def _verified(attempt: _Attempt) -> Arrival:
    try:
        registration = client_secrets.opened(attempt.registration)
    except TenantsError:
        logger.exception("a sealed value could not be opened", extra={"registration_id": attempt.registration.pk})
        raise EntryRefused("interrupted") from None
    _count(attempt.session)
    try:
        proven = verifying.verify(attempt.provider_id, registration, attempt.entered)
    except ProviderError as error:
        raise _refused(attempt, error) from None
    except DefinitionError:
        logger.exception("the catalogue lacks what a registration needs", extra={"provider_id": attempt.provider_id})
        raise EntryRefused("interrupted") from None
    arrival = Arrival(
        tenant_id=attempt.session.tenant_id,
        registration=attempt.registration,
        label=attempt.session.label,
        repaired=attempt.session.connection,
        asked=proven.asked,
        credential=proven.credential,
        account=proven.account,
        life_seconds=proven.expires_in,
        unverified=proven.unverified,
        session=attempt.session,
    )
    if refused := storing.refusal(arrival):
        # Not kept aside: a key is not lost by it, and the form is still there to enter the right one.
        connecting.turn_away(arrival, refused)
        raise _told(attempt, EntryRefused(refused))
    return arrival


def _count(session: ConnectSession) -> None:
    """An attempt that reaches the provider counts: whoever guesses keys gets few guesses a link."""
    unused = ConnectSession.objects.filter(
        pk=session.pk, consumed_at=None, expires_at__gt=Now(), starts__lt=settings.CONNECT_MAX_STARTS
    )
    if not unused.update(starts=F("starts") + 1):
        raise ConnectLinkExpired("used up, or too many attempts; ask whoever sent the link for a new one")


def _refused(attempt: _Attempt, error: ProviderError) -> EntryRefused:
    logger.info(
        "what was entered was not accepted",
        extra={"provider_id": attempt.provider_id, "failure": type(error).__name__, "error": error.error},
    )
    names = tuple(attempt.entered.fields)
    refused = entered_refusals.of_answer(error, attempt.registration, names)
    return _told(attempt, refused, error=error.error, error_id=error.error_id)


def _told(attempt: _Attempt, refused: EntryRefused, **detail: object) -> EntryRefused:
    """The refusal, once the link and the timeline know of it."""
    session = attempt.session
    with transaction.atomic():
        ConnectSession.objects.filter(pk=session.pk).exclude(outcome="connected").update(outcome=refused.code)
        audit.record(
            "authorization.failed",
            audit.CUSTOMER,
            tenant_id=session.tenant_id,
            connection_id=session.connection_id,
            detail={"provider": attempt.provider_id, "outcome": refused.code, "session": str(session.pk), **detail},
        )
    return refused


def _stored(attempt: _Attempt, arrival: Arrival) -> Started:
    try:
        with transaction.atomic():
            # Before the link, as whoever deletes the tenant does.
            storing.hold_tenant(attempt.session.tenant_id)
            used_up_by_us = _use_up(attempt.session)
            if used_up_by_us:
                connection = storing.store_connected(arrival)
            elif not _same_again(attempt.session, arrival):
                raise ConnectLinkExpired("ask whoever sent the link for a new one")
            started = _flow(attempt)
    except TenantEnded:
        raise ConnectLinkExpired("ask whoever sent the link for a new one") from None
    except CompanyTaken as error:
        connecting.report_taken(arrival, error)
        raise _told(attempt, EntryRefused("company_taken")) from None
    except TenantsError:
        logger.exception("what was entered could not be sealed", extra={"registration_id": attempt.registration.pk})
        raise EntryRefused("interrupted") from None
    if used_up_by_us:
        incidents.heal(connection)
    return started


def _use_up(session: ConnectSession) -> bool:
    unused = ConnectSession.objects.filter(pk=session.pk, consumed_at=None, expires_at__gt=Now())
    return bool(unused.update(consumed_at=Now(), outcome="connected"))


def _same_again(session: ConnectSession, arrival: Arrival) -> bool:
    """Whether the form was simply sent twice: the first one is stored, and this browser has proven the same account."""
    session = ConnectSession.objects.select_related("connection").get(pk=session.pk)
    if session.outcome != "connected" or session.connection is None:
        return False
    return not storing.refusal(replace(arrival, repaired=session.connection))


def _flow(attempt: _Attempt) -> Started:
    """A flow that is over: the result page is found by it, in the browser that filled in the form."""
    session, browser = attempt.session, secrets.token_urlsafe(32)
    flow = AuthorizationRequest.objects.create(
        id=uuid.uuid4(),
        session=session,
        tenant_id=session.tenant_id,
        registration=attempt.registration,
        provider_id=attempt.provider_id,
        state_hash=sessions.digest(secrets.token_urlsafe(32)),
        browser_hash=sessions.digest(browser),
        sealed_verifier=b"",
        data_key=credentials.active_data_key(session.tenant_id),
        redirect_uri="",
        status=AuthorizationRequest.Status.CONSUMED,
        outcome="connected",
        expires_at=timezone.now() + timedelta(seconds=settings.AUTHORIZATION_REQUEST_SECONDS),
    )
    url = f"{settings.PUBLIC_URL}/connect/result/{flow.pk}"
    return Started(flow_id=flow.pk, url=url, browser_secret=browser)
