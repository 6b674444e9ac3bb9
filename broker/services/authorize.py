"""Begin and complete an authorization: from the pressed button to a connected connection.

state, verifier and browser secret are fresh for each flow; state is consumed by one conditional update before the code
is exchanged, once. Security requirements: RFC 9700 sections 2.1, 4.4, 4.7; RFC 9207; RFC 7636.
"""

import json
import logging
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from broker.errors import AuthorizationResponseRefused, ConnectLinkExpired
from broker.services import choosing, client_secrets, concluding, connecting, credentials, directory, sessions
from providers.errors import AuthorizationRefused, AuthorizationResponseInvalid, ProviderError
from providers.interface import CHOOSES_COMPANY
from tenants import audit
from tenants.errors import TenantsError
from tenants.models import AuthorizationRequest, ConnectSession
from tenants.models.authorization import response_context, verifier_context

logger = logging.getLogger(__name__)
Parameters = Sequence[tuple[str, str]]
BrowserSecret = Callable[[uuid.UUID], str | None]
_STATE_LIMIT, _POSTED_LIMIT = 1024, 16_384
_FORM_POST = "form_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Where to send the browser, and the secret that binds the flow to it (for a cookie of this flow)."""

    flow_id: uuid.UUID
    url: str = field(repr=False)
    browser_secret: str = field(repr=False)


def begin(session: ConnectSession, provider_id: str) -> Started:
    """Start a flow for a link that was opened and whose button was pressed. The link is used up by it.

    Raises: InvalidRequest, ProviderNotAvailable, OperationUnsupported, ConnectLinkExpired.
    Effects: the session is consumed, one authorization request and one audit event are written.
    """
    # Before the link is used up: what cannot be started must not cost the customer their link.
    sessions.registration_of(session, provider_id)
    directory.authorizing(provider_id)
    used = ConnectSession.objects.filter(pk=session.pk, consumed_at=None, expires_at__gt=Now())
    if not used.update(consumed_at=Now()):
        raise ConnectLinkExpired("ask whoever sent the link for a new one")
    return _start(session, provider_id)


def begin_again(flow: AuthorizationRequest) -> Started:
    """Start over in the same browser after a flow that failed. Raises ConnectLinkExpired."""
    session = flow.session
    if session.outcome == "connected" or session.expires_at <= timezone.now():
        raise ConnectLinkExpired("ask whoever sent the link for a new one")
    return _start(session, flow.provider_id)


def _start(session: ConnectSession, provider_id: str) -> Started:
    registration = sessions.registration_of(session, provider_id)
    provider = directory.authorizing(provider_id)
    if not ConnectSession.objects.filter(pk=session.pk, starts__lt=settings.CONNECT_MAX_STARTS).update(
        starts=F("starts") + 1
    ):
        raise ConnectLinkExpired("too many attempts; ask whoever sent the link for a new one")
    flow_id, state, verifier, browser = uuid.uuid4(), *(secrets.token_urlsafe(32) for _ in range(3))
    redirect_uri = f"{settings.PUBLIC_URL}/cb/{registration.redirect_key}"
    request = provider.build_authorization_request(
        credentials.registration_without_secrets(registration),
        redirect_uri=redirect_uri,
        state=state,
        code_verifier=verifier,
        locale=session.locale,
    )
    sealed = credentials.seal(verifier_context(session.tenant_id, flow_id), verifier.encode())
    with transaction.atomic():
        AuthorizationRequest.objects.create(
            id=flow_id,
            session=session,
            tenant_id=session.tenant_id,
            registration=registration,
            provider_id=provider_id,
            state_hash=sessions.digest(state),
            browser_hash=sessions.digest(browser),
            sealed_verifier=sealed.blob,
            data_key=sealed.key,
            redirect_uri=redirect_uri,
            expires_at=timezone.now() + timedelta(seconds=settings.AUTHORIZATION_REQUEST_SECONDS),
        )
        audit.record(
            "authorization.started",
            audit.CUSTOMER,
            tenant_id=session.tenant_id,
            connection_id=session.connection_id,
            detail={"provider": provider_id, "session": str(session.id)},
        )
    return Started(flow_id=flow_id, url=request.url, browser_secret=browser)


def complete(redirect_key: str, parameters: Parameters, browser_secret: BrowserSecret) -> AuthorizationRequest:
    """Judge the provider's answer and, when it is good, connect. Returns the flow with its outcome, or `choosing`.

    Raises: AuthorizationResponseRefused when the answer belongs to no flow of this browser at this address.
    Effects: the flow is consumed; at most one token request; rows as `connecting` says.
    """
    flow = _find(redirect_key, parameters)
    _check_mode(flow, posted=False)
    _check_browser(flow, browser_secret)
    return _go_on(flow, parameters)


def take_posted(redirect_key: str, parameters: Parameters) -> uuid.UUID:
    """Keep an answer that a provider's page posted, and return its flow's id: the browser asks with its cookie next.

    A post from another site carries no Lax cookie, so nothing is judged here; and only the first answer counts.
    Raises: AuthorizationResponseRefused.
    Effects: the answer is sealed onto the flow.
    """
    flow = _find(redirect_key, parameters)
    _check_mode(flow, posted=True)
    plaintext = json.dumps([list(pair) for pair in parameters]).encode()
    if len(plaintext) > _POSTED_LIMIT:
        raise AuthorizationResponseRefused("the answer is too long")
    sealed = credentials.seal_under(flow.data_key, response_context(flow.tenant_id, flow.pk), plaintext)
    AuthorizationRequest.objects.filter(
        pk=flow.pk, status=AuthorizationRequest.Status.PENDING, sealed_response=None, expires_at__gt=Now()
    ).update(sealed_response=sealed.blob)
    return flow.pk


def complete_posted(redirect_key: str, flow_id: uuid.UUID, browser_secret: BrowserSecret) -> AuthorizationRequest:
    """As `complete`, with the answer that was posted before. Raises: AuthorizationResponseRefused."""
    flow = _rows().filter(pk=flow_id).first()
    if flow is None or flow.registration.redirect_key != redirect_key:
        raise AuthorizationResponseRefused("the answer belongs to no connection attempt of this service")
    _check_browser(flow, browser_secret)
    if flow.status != AuthorizationRequest.Status.PENDING:
        return concluding.seen_before(flow)
    if flow.sealed_response is None:
        raise AuthorizationResponseRefused("the provider has not answered yet")
    try:
        context = response_context(flow.tenant_id, flow.pk)
        posted = json.loads(credentials.unseal(flow.data_key, context, flow.sealed_response))
    except TenantsError:
        logger.exception("a sealed value could not be opened", extra={"registration_id": flow.registration_id})
        return concluding.conclude(flow, "interrupted")
    return _go_on(flow, [(name, value) for name, value in posted])


def _rows() -> QuerySet[AuthorizationRequest]:
    return AuthorizationRequest.objects.select_related(
        "session__tenant", "session__connection", "registration__data_key", "data_key"
    )


def _find(redirect_key: str, parameters: Parameters) -> AuthorizationRequest:
    states = [value for name, value in parameters if name == "state"]
    if len(states) != 1 or not 0 < len(states[0]) <= _STATE_LIMIT:
        raise AuthorizationResponseRefused("the answer carries no usable state")
    flow = _rows().filter(state_hash=sessions.digest(states[0])).first()
    # The address is distinct for each registration, so an answer of another provider cannot pass for this one's.
    if flow is None or flow.registration.redirect_key != redirect_key:
        raise AuthorizationResponseRefused("the answer belongs to no connection attempt of this service")
    return flow


def _check_mode(flow: AuthorizationRequest, *, posted: bool) -> None:
    """An answer that comes another way than the provider was asked for is not the provider's."""
    modes = directory.authorizing(flow.provider_id).definition.response_modes_supported
    if posted != (modes[0] == _FORM_POST):
        raise AuthorizationResponseRefused("the answer did not come the way it was asked for")


def _check_browser(flow: AuthorizationRequest, browser_secret: BrowserSecret) -> None:
    secret = browser_secret(flow.pk)
    if secret is None or sessions.digest(secret) != bytes(flow.browser_hash):
        raise AuthorizationResponseRefused("open the link again and finish in the same browser")


def _go_on(flow: AuthorizationRequest, parameters: Parameters) -> AuthorizationRequest:
    pending = AuthorizationRequest.objects.filter(
        pk=flow.pk, status=AuthorizationRequest.Status.PENDING, expires_at__gt=Now()
    )
    if not pending.update(status=AuthorizationRequest.Status.CONSUMED, sealed_response=None):
        return concluding.seen_before(flow)
    outcome = _exchange(flow, parameters)
    return concluding.conclude(flow, outcome) if outcome else flow


def _exchange(flow: AuthorizationRequest, parameters: Parameters) -> str:
    """Return the outcome: `connected`, or why not; empty while the customer chooses a company.

    The code is sent once; an unknown outcome means starting over.
    """
    provider = directory.authorizing(flow.provider_id)
    try:
        registration = client_secrets.opened(flow.registration)
        code = provider.process_authorization_response(registration, parameters)
        verifier = credentials.unseal(flow.data_key, flow.seal_context(), flow.sealed_verifier).decode()
        response = provider.exchange_code(
            registration, code=code, code_verifier=verifier, redirect_uri=flow.redirect_uri
        )
    except AuthorizationRefused as error:
        return error.error or "refused"
    except AuthorizationResponseInvalid as error:
        return error.problem
    except ProviderError as error:
        return connecting.report_failed_exchange(flow, provider, error)
    except TenantsError:
        logger.exception("a sealed value could not be opened", extra={"registration_id": flow.registration_id})
        return "interrupted"
    then = choosing.offer if CHOOSES_COMPANY in provider.capabilities else connecting.connect
    return then(flow, registration, provider, response)


def find_flow(flow_id: uuid.UUID, browser_secret: BrowserSecret) -> AuthorizationRequest:
    """Return a flow to the browser that started it. Raises AuthorizationResponseRefused for anybody else."""
    flow = _rows().filter(pk=flow_id).first()
    if flow is None:
        raise AuthorizationResponseRefused("open the link again and finish in the same browser")
    _check_browser(flow, browser_secret)
    return flow
