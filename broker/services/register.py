"""Store what operators enter: tenants, callers, client registrations."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from broker.errors import InvalidRequest, TenantNotFound
from broker.services import callers, credentials, directory, registration_rules, sessions
from providers.interface import AUTHORIZES
from providers.messages import ClientRegistration as Registration
from providers.messages import Secret
from tenants import audit
from tenants.audit import Actor
from tenants.models import ApiKey, Caller, ClientRegistration, Operation, Tenant


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
        _save_new(tenant, f"a tenant with the slug {slug[:64]!r} exists already")
        credentials.active_data_key(tenant.id)
        audit.record("tenant.created", actor, tenant_id=tenant.id, detail={"slug": slug})
    return tenant


def create_caller(
    name: str,
    *,
    tenants: Sequence[Tenant] | None,
    providers: Sequence[str],
    operations: Sequence[str],
    expires_days: int,
    actor: Actor,
) -> tuple[Caller, ApiKey, str]:
    """Return the caller, its first key's row, and that key in clear. tenants None: all of them."""
    unknown = set(operations) - set(Operation.values)
    if unknown or not operations:
        raise InvalidRequest(f"operations must be among {', '.join(Operation.values)}")
    if not 1 <= expires_days <= 180:
        raise InvalidRequest("an API key lives for 1 to 180 days")
    for provider_id in providers:
        directory.provider(provider_id)
    caller = Caller(
        name=name, all_tenants=tenants is None, providers=list(providers), operations=sorted(set(operations))
    )
    with transaction.atomic():
        _save_new(caller, f"a caller named {name[:64]!r} exists already")
        caller.tenants.set(tenants or [])
        row, key = callers.create_key(caller, expires_days=expires_days)
        audit.record("caller.created", actor, tenant_id=None, detail={"caller": name, "key_id": row.key_id})
    return caller, row, key


def create_key(name: str, *, expires_days: int, actor: Actor) -> tuple[ApiKey, str]:
    """Return one more key of a caller, row and in clear: the old one goes on working until it is revoked."""
    caller = Caller.objects.filter(name=name).first()
    if caller is None:
        raise InvalidRequest(f"no caller is named {name[:64]!r}")
    if not 1 <= expires_days <= 180:
        raise InvalidRequest("an API key lives for 1 to 180 days")
    with transaction.atomic():
        row, key = callers.create_key(caller, expires_days=expires_days)
        audit.record("caller.key_created", actor, tenant_id=None, detail={"caller": name, "key_id": row.key_id})
    return row, key


def revoke_key(key_id: str, *, actor: Actor) -> None:
    """Refuse a key from its next request on. Raises InvalidRequest for one that is unknown or revoked already."""
    row = ApiKey.objects.select_related("caller").filter(key_id=key_id[:64]).first()
    with transaction.atomic():
        if row is None or not callers.revoke_key(key_id):
            raise InvalidRequest("no key in use has this id")
        audit.record("caller.key_revoked", actor, tenant_id=None, detail={"caller": row.caller.name, "key_id": key_id})


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
        _save_new(row, "this client id, or this redirect key, is registered already")
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


def _save_new(row: Tenant | Caller | ClientRegistration, taken: str) -> None:
    try:
        row.full_clean(validate_unique=False, validate_constraints=False, exclude=["operations", "sealed_secrets"])
        with transaction.atomic():
            row.save(force_insert=True)
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise InvalidRequest(f"{field}: {problems[0]}") from None
    except IntegrityError:
        raise InvalidRequest(taken) from None
