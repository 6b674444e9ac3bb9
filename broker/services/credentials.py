"""The join: sealed rows to the values that providers understand, and back."""

import json
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential, Secret, TokenResponse
from tenants import keyring
from tenants.models import ClientRegistration, Connection, Credential, CredentialOrphan, DataKey
from tenants.models.credential import credential_context
from tenants.querysets import credentials as rows
from tenants.vault import SealContext, Vault, WrappedKey


@cache
def vault() -> Vault:
    """Return the process's vault. Raises KeyringInvalid."""
    return Vault(keyring.parse(settings.KEYRING), settings.BROKER_ENVIRONMENT)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed blob with the key that opens it, ready to be stored."""

    blob: bytes
    key: DataKey


def active_data_key(tenant_id: UUID | None) -> DataKey:
    """Return the tenant's sealing key (None: the platform's), made at first use."""
    found = _active(tenant_id).first()
    return found or _create_data_key(tenant_id)


def _active(tenant_id: UUID | None) -> QuerySet[DataKey]:
    keys = DataKey.objects.filter(active=True)
    return keys.filter(tenant=None) if tenant_id is None else keys.filter(tenant_id=tenant_id)


def _create_data_key(tenant_id: UUID | None) -> DataKey:
    key_id = uuid.uuid4()
    wrapped = vault().new_data_key(key_id, tenant_id)
    try:
        with transaction.atomic():
            return DataKey.objects.create(
                id=key_id, tenant_id=tenant_id, kek_version=wrapped.kek_version, wrapped=wrapped.wrapped
            )
    except IntegrityError:
        # Another process made it in the same moment: the constraint allows one active key a tenant.
        return _active(tenant_id).get()


def seal(context: SealContext, plaintext: bytes) -> Sealed:
    """Seal under the active data key of the context's tenant."""
    key = active_data_key(context.tenant_id)
    return Sealed(vault().seal(key.as_wrapped(), context, plaintext), key)


def unseal(key: DataKey, context: SealContext, blob: bytes | memoryview) -> bytes:
    """Raises SealBroken, KeyUnavailable."""
    return vault().open(key.as_wrapped(), context, bytes(blob))


def encode(credential: OAuthCredential) -> bytes:
    """Return the plaintext that is sealed: the only place where a credential becomes text."""
    return json.dumps(
        {
            "access_token": credential.access_token.reveal(),
            "token_type": credential.token_type,
            "refresh_token": credential.refresh_token.reveal() if credential.refresh_token else None,
            "scope": list(credential.scope),
            "extras": dict(credential.extras),
        }
    ).encode()


def decode(plaintext: bytes) -> OAuthCredential:
    fields: dict[str, Any] = json.loads(plaintext)
    return OAuthCredential(
        access_token=Secret(fields["access_token"]),
        token_type=fields["token_type"],
        refresh_token=Secret(fields["refresh_token"]) if fields["refresh_token"] else None,
        scope=tuple(fields["scope"]),
        extras=fields["extras"],
    )


def open_current(credential: Credential, tenant_id: UUID) -> OAuthCredential:
    """Return the stored credential. Raises SealBroken, KeyUnavailable."""
    context = credential_context(tenant_id, credential.connection_id, credential.version)
    return decode(unseal(credential.data_key, context, credential.sealed))


def open_handed_out(key: WrappedKey, *, connection_id: UUID, version: int, sealed: bytes) -> OAuthCredential:
    """As open_current, from the columns of the token path's one query."""
    assert key.tenant_id is not None
    return decode(vault().open(key, credential_context(key.tenant_id, connection_id, version), sealed))


def store(connection: Connection, version: int, credential: OAuthCredential, life_seconds: float | None) -> None:
    """Seal the pair and make it the connection's current version. Effects: one row, in the caller's transaction."""
    sealed = seal(credential_context(connection.tenant_id, connection.id, version), encode(credential))
    rows.store(
        connection.id,
        version=version,
        sealed=sealed.blob,
        data_key_id=sealed.key.id,
        refresh_fingerprint=fingerprint(sealed.key, credential.refresh_token),
        life_seconds=life_seconds,
    )


def store_orphan(
    *, tenant_id: UUID, connection_id: UUID, fence: int, credential: OAuthCredential, outcome: str
) -> CredentialOrphan:
    """Keep a credential that no connection holds (any more), sealed, until it is revoked or adopted."""
    orphan = CredentialOrphan(tenant_id=tenant_id, connection_id=connection_id, fence=fence, outcome=outcome)
    sealed = seal(orphan.seal_context(), encode(credential))
    orphan.sealed, orphan.data_key = sealed.blob, sealed.key
    orphan.save()
    return orphan


def open_orphan(orphan: CredentialOrphan) -> OAuthCredential:
    """Raises SealBroken, KeyUnavailable."""
    return decode(unseal(orphan.data_key, orphan.seal_context(), orphan.sealed))


def fingerprint(key: DataKey, secret: Secret | None) -> bytes | None:
    """Return what tells two refresh tokens of one tenant apart, and nothing else."""
    return vault().fingerprint(key.as_wrapped(), secret.reveal().encode()) if secret else None


def merge(response: TokenResponse, previous: OAuthCredential | None, asked: tuple[str, ...]) -> OAuthCredential:
    """Return what is stored after a token response.

    A response without refresh token keeps the old one, and one without scope means "as before".
    Source: RFC 6749 sections 5.1 and 6.
    """
    kept = previous.refresh_token if previous else None
    before = previous.scope if previous else asked
    return OAuthCredential(
        access_token=response.access_token,
        token_type=response.token_type,
        refresh_token=response.refresh_token or kept,
        scope=before if response.scope is None else response.scope,
        extras={**(previous.extras if previous else {}), **response.extras},
    )


def registration_value(row: ClientRegistration) -> Registration:
    """Return the registration with its secrets opened, newest first. Raises SealBroken, KeyUnavailable."""
    secrets = json.loads(unseal(row.data_key, row.seal_context(), row.sealed_secrets))
    return registration_without_secrets(row, tuple(Secret(secret) for secret in reversed(secrets)))


def registration_without_secrets(row: ClientRegistration, secrets: tuple[Secret, ...] = ()) -> Registration:
    """Return the public part, enough to build an authorization request or headers."""
    return Registration(
        provider_id=row.provider_id,
        environment=row.environment,
        client_id=row.client_id,
        client_secrets=secrets,
        scopes=tuple(row.scopes),
        token_endpoint_auth_method=row.token_endpoint_auth_method or None,
        parameters=row.parameters,
    )
