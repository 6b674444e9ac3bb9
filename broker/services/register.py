"""Store what operators enter: tenants, client registrations. Callers: `enrolment`."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from broker.errors import InvalidRequest, TenantNotFound
from broker.services import credentials, directory, registration_rules, sessions
from providers.interface import AUTHORIZES
from providers.messages import ClientRegistration as Registration
from providers.messages import Secret
from tenants import audit
from tenants.audit import Actor
from tenants.models import Caller, ClientRegistration, Tenant


def tenant_by_slug(slug: str) -> Tenant:
    """Raises TenantNotFound."""
    found = Tenant.objects.filter(slug=slug, deleted_at=None).first()
    if found is None:
        raise TenantNotFound(f"no tenant has the slug {slug[:64]!r}")
    return found


def create_tenant(slug: str, *, name: str, locale: str = "en", return_urls: Sequence[str] = (), actor: Actor) -> Tenant:
    """Effects: the tenant, its data key, one audit event. Raises InvalidRequest, naming the field."""
    for url in return_urls:
        check_return_url(url)
    if locale not in sessions.LOCALES:
        raise InvalidRequest(f"locale must be one of {', '.join(sessions.LOCALES)}")
    tenant = Tenant(slug=slug, name=name, locale=locale, return_urls=list(return_urls))
    with transaction.atomic():
        save_new(tenant, f"a tenant with the slug {slug[:64]!r} exists already")
        credentials.active_data_key(tenant.id)
        audit.record("tenant.created", actor, tenant_id=tenant.id, detail={"slug": slug})
    return tenant


def registration_by_redirect_key(redirect_key: str) -> ClientRegistration:
    """Raises InvalidRequest."""
    found = ClientRegistration.objects.select_related("data_key").filter(redirect_key=redirect_key).first()
    if found is None:
        raise InvalidRequest(f"no registration has the redirect key {redirect_key[:64]!r}")
    return found


def register_client(
    provider_id: str,
    *,
    environment: str,
    client_id: str,
    client_secret: Secret | None,
    tenant: Tenant | None = None,
    scopes: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
    redirect_key: str = "",
    auth_method: str = "",
    secret_expires_at: datetime | None = None,
    actor: Actor,
) -> ClientRegistration:
    """Store our standing at a provider, its secret sealed. secret_expires_at: when the provider ends it, if it does.

    Raises: InvalidRequest naming the field, ProviderNotAvailable.
    """
    value = Registration(
        provider_id=provider_id,
        environment=environment,
        client_id=client_id,
        client_secrets=(client_secret,) if client_secret else (),
        scopes=tuple(scopes),
        token_endpoint_auth_method=auth_method or None,
        parameters=dict(parameters or {}),
    )
    registration_rules.check(value, of_one_tenant=tenant is not None)
    row = _row_of(value, tenant, redirect_key or secrets.token_hex(8))
    row.secret_expires_at = secret_expires_at
    with transaction.atomic():
        save_new(row, "this client id, or this redirect key, is registered already")
        audit.record(
            "registration.created",
            actor,
            tenant_id=tenant.id if tenant else None,
            detail={"provider": provider_id, "environment": environment, "client_id": client_id},
        )
    return row


def _row_of(value: Registration, tenant: Tenant | None, redirect_key: str) -> ClientRegistration:
    row = ClientRegistration(
        tenant=tenant,
        provider_id=value.provider_id,
        environment=value.environment,
        client_id=value.client_id,
        redirect_key=redirect_key,
        scopes=list(value.scopes),
        parameters=dict(value.parameters),
        token_endpoint_auth_method=value.token_endpoint_auth_method or "",
    )
    seal_secrets(row, value.client_secrets)
    return row


def redirect_uri(row: ClientRegistration) -> str:
    """Return the redirect URI to enter at the provider, distinct for each registration; empty where none is used."""
    if AUTHORIZES not in directory.provider(row.provider_id).capabilities:
        return ""
    return f"{settings.PUBLIC_URL}/cb/{row.redirect_key}"


def seal_secrets(row: ClientRegistration, values: Sequence[Secret]) -> None:
    """Put these secrets, newest last, into a row that is still to be saved."""
    plaintext = json.dumps([value.reveal() for value in values]).encode()
    sealed = credentials.seal(row.seal_context(), plaintext)
    row.sealed_secrets, row.data_key = sealed.blob, sealed.key


def check_return_url(url: str) -> None:
    """Raises InvalidRequest unless it is https (http on loopback in the demo), without userinfo or fragment."""
    try:
        parts = urlsplit(url)
        loopback = settings.DEMO and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
        good = (parts.scheme == "https" or loopback) and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or "#" in url or "\\" in url or any(ord(character) <= 32 for character in url) or len(url) > 500:
        raise InvalidRequest("a return URL must be a plain https address of at most 500 characters")


def save_new(row: Tenant | Caller | ClientRegistration, taken: str) -> None:
    """Insert a row. Raises InvalidRequest: naming the field, or with the sentence for one that exists already."""
    try:
        row.full_clean(validate_unique=False, validate_constraints=False, exclude=["operations", "sealed_secrets"])
        with transaction.atomic():
            row.save(force_insert=True)
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise InvalidRequest(f"{field}: {problems[0]}") from None
    except IntegrityError:
        raise InvalidRequest(taken) from None
