"""Connect links: made by callers, staff or a dead grant; opened by a customer."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from broker.errors import (
    ConnectLinkExpired,
    ConnectLinkInvalid,
    InvalidRequest,
    ProviderNotAvailable,
    ReturnUrlNotAllowed,
    TenantNotFound,
)
from broker.services import credentials
from tenants import audit
from tenants.audit import Actor
from tenants.models import ClientRegistration, Connection, ConnectSession, Tenant

Progress = Literal["open", "started", "completed", "expired"]
LOCALES = tuple(code for code, _ in settings.LANGUAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A connect session with its link in clear."""

    session: ConnectSession
    url: str = field(repr=False)


def create(
    tenant: Tenant,
    providers: list[str],
    *,
    return_url: str = "",
    locale: str = "",
    label: str = "",
    connection: Connection | None = None,
    actor: Actor,
) -> Link:
    """Make a link for one tenant, good for half an hour and for one browser.

    Raises: TenantNotFound, ProviderNotAvailable, ReturnUrlNotAllowed, InvalidRequest.
    Effects: one session row and one audit event.
    """
    if tenant.deleted_at is not None:
        raise TenantNotFound("this tenant is being deleted")
    for provider_id in providers:
        registration_for(tenant, provider_id)
    if return_url and return_url not in tenant.return_urls:
        raise ReturnUrlNotAllowed("give an address from the tenant's list, letter by letter")
    if locale and locale not in LOCALES:
        raise InvalidRequest(f"locale must be one of {', '.join(LOCALES)}")
    session = _new(tenant, connection)
    token = secrets.token_urlsafe(32)
    sealed = credentials.seal(session.seal_context(), token.encode())
    session.token_hash, session.sealed_token, session.data_key = digest(token), sealed.blob, sealed.key
    session.providers, session.return_url, session.label = providers, return_url, label
    session.locale = locale or tenant.locale
    session.created_by = f"{actor.kind} {actor.name}".strip()
    session.save()
    audit.record(
        "connect_session.created",
        actor,
        tenant_id=tenant.id,
        connection_id=connection.id if connection else None,
        detail={"providers": providers, "session": str(session.id)},
    )
    return Link(session=session, url=_url(token))


def repair_link(connection: Connection, *, actor: Actor = audit.SYSTEM) -> Link:
    """Return a link that repairs this connection: the open one when there is one, else a new one."""
    soon = timezone.now() + timedelta(seconds=settings.CONNECT_SESSION_SECONDS / 2)
    unused = ConnectSession.objects.select_related("data_key").filter(
        connection=connection, consumed_at=None, expires_at__gt=soon
    )
    session = unused.order_by("-expires_at").first()
    if session is None:
        return create(connection.tenant, [connection.provider_id], connection=connection, actor=actor)
    token = credentials.unseal(session.data_key, session.seal_context(), session.sealed_token).decode()
    return Link(session=session, url=_url(token))


def find(token: str) -> ConnectSession:
    """Return the session of a link that can still be used. Raises ConnectLinkInvalid, ConnectLinkExpired."""
    rows = ConnectSession.objects.select_related("tenant", "connection")
    session = rows.filter(token_hash=digest(token)).first() if 20 <= len(token) <= 100 else None
    if session is None:
        raise ConnectLinkInvalid("the link is incomplete, or was never made by this service")
    if session.consumed_at is not None or session.expires_at <= timezone.now():
        raise ConnectLinkExpired("ask whoever sent the link for a new one")
    return session


def registration_for(tenant: Tenant, provider_id: str) -> ClientRegistration:
    """Return the tenant's own registration at a provider, else the shared one. Raises ProviderNotAvailable."""
    rows = ClientRegistration.objects.filter(provider_id=provider_id, disabled_at=None)
    found = rows.filter(Q(tenant=tenant) | Q(tenant=None)).order_by("tenant_id", "-created_at").first()
    if found is None:
        raise ProviderNotAvailable(f"no client registration serves {tenant.slug} at this provider")
    return found


def registration_of(session: ConnectSession, provider_id: str) -> ClientRegistration:
    """Return the registration a session's flow goes through: a repair keeps the one its connection was made with."""
    if provider_id not in session.providers:
        raise InvalidRequest("this link is for another provider")
    if session.connection is not None:
        return session.connection.registration
    return registration_for(session.tenant, provider_id)


def state_of(session: ConnectSession) -> Progress:
    """Return how far the customer has come."""
    if session.outcome == "connected":
        return "completed"
    if session.expires_at <= timezone.now():
        return "expired"
    return "started" if session.consumed_at else "open"


def digest(secret: str) -> bytes:
    """Return what is stored of a link, state or browser secret; each has 256 random bits, so no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _new(tenant: Tenant, connection: Connection | None) -> ConnectSession:
    expires_at: datetime = timezone.now() + timedelta(seconds=settings.CONNECT_SESSION_SECONDS)
    return ConnectSession(tenant=tenant, connection=connection, expires_at=expires_at)


def _url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/connect/{token}"
