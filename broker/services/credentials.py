"""The join: sealed rows to the values that providers understand, and back."""

import json
import uuid
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from broker.services.credential_text import decode, decode_tokens, encode
from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential, Secret, StoredCredential, TokenResponse
from tenants import keyring
from tenants.models import ClientRegistration, Connection, Credential, CredentialOrphan, DataKey, MintedToken
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
    return seal_under(active_data_key(context.tenant_id), context, plaintext)


def seal_under(key: DataKey, context: SealContext, plaintext: bytes) -> Sealed:
    """Seal under this key: for a row whose other columns are sealed under it already."""
    return Sealed(vault().seal(key.as_wrapped(), context, plaintext), key)


def unseal(key: DataKey, context: SealContext, blob: bytes | memoryview) -> bytes:
    """Raises SealBroken, KeyUnavailable."""
    return vault().open(key.as_wrapped(), context, bytes(blob))


def open_current(credential: Credential, tenant_id: UUID) -> StoredCredential:
    """Return the stored credential. Raises SealBroken, KeyUnavailable."""
    context = credential_context(tenant_id, credential.connection_id, credential.version)
    return decode(unseal(credential.data_key, context, credential.sealed))


def open_handed_out(key: WrappedKey, *, connection_id: UUID, version: int, sealed: bytes) -> StoredCredential:
    """As open_current, from the columns of the token path's one query."""
    assert key.tenant_id is not None
    return decode(vault().open(key, credential_context(key.tenant_id, connection_id, version), sealed))


def store(
    connection: Connection,
    version: int,
    credential: StoredCredential,
    life_seconds: float | None,
    *,
    new_grant: bool = False,
) -> None:
    """Seal the credential and make it the connection's current version; life_seconds None: it never expires.

    new_grant: the customer has authorized anew, which is what a provider counts a grant's longest life from.
    Effects: one row, in the caller's transaction.
    """
    sealed = seal(credential_context(connection.tenant_id, connection.id, version), encode(credential))
    rows.store(
        connection.id,
        version=version,
        sealed=sealed.blob,
        data_key_id=sealed.key.id,
        refresh_fingerprint=fingerprint_of(sealed.key, credential),
        life_seconds=life_seconds,
        new_grant=new_grant,
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
    return decode_tokens(unseal(orphan.data_key, orphan.seal_context(), orphan.sealed))


def seal_minted(tenant_id: UUID, row_id: UUID, version: int, token: OAuthCredential) -> Sealed:
    """Seal a token for a further set of scopes, for that row and version of MintedToken."""
    return seal(_minted_context(tenant_id, row_id, version), encode(token))


def open_minted(key: WrappedKey, *, row_id: UUID, version: int, sealed: bytes) -> OAuthCredential:
    """Return such a token, from the columns of one query. Raises SealBroken, KeyUnavailable."""
    assert key.tenant_id is not None
    return decode_tokens(vault().open(key, _minted_context(key.tenant_id, row_id, version), sealed))


def _minted_context(tenant_id: UUID, row_id: UUID, version: int) -> SealContext:
    return MintedToken(id=row_id).seal_context(tenant_id, version)


def fingerprint_of(key: DataKey, credential: StoredCredential) -> bytes | None:
    """Return the fingerprint of a credential's refresh token; None where it has none."""
    return fingerprint(key, credential.refresh_token) if isinstance(credential, OAuthCredential) else None


def fingerprint(key: DataKey, secret: Secret | None) -> bytes | None:
    """Return what tells two refresh tokens of one tenant apart, and nothing else."""
    return vault().fingerprint(key.as_wrapped(), secret.reveal().encode()) if secret else None


def merge(response: TokenResponse, previous: OAuthCredential | None, asked: tuple[str, ...]) -> OAuthCredential:
    """Return what is stored after a token response.

    A response without refresh token keeps the old one, and one without scope means "as before". What the customer
    typed in stays, where tokens are made from that.
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
        entered=previous.entered if previous else None,
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
