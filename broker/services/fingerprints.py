"""Tell which token somebody read, without keeping anything that leads back to it."""

from broker.services import credentials
from broker.services.credential_text import encode
from providers.messages import EnteredCredential, StoredCredential
from tenants.querysets.hand_out import HandOut
from tenants.vault import WrappedKey


def key_of(row: HandOut) -> WrappedKey:
    """Return the data key under which the row's credential is sealed."""
    return WrappedKey(id=row.data_key_id, tenant_id=row.tenant_id, kek_version=row.kek_version, wrapped=row.wrapped)


def minted_key_of(row: HandOut) -> WrappedKey:
    """Return the data key under which the row's token for a set of scopes is sealed."""
    found = row.minted
    assert found is not None
    return WrappedKey(
        id=found.data_key_id, tenant_id=row.tenant_id, kek_version=found.kek_version, wrapped=found.wrapped
    )


def of_credential(key: WrappedKey, credential: StoredCredential) -> bytes:
    """Return 16 bytes that tell an access token from others of its tenant.

    Where requests are signed with what was typed in, they are of all of that. Raises KeyUnavailable.
    """
    if isinstance(credential, EnteredCredential):
        return credentials.vault().fingerprint(key, encode(credential))
    return credentials.vault().fingerprint(key, credential.access_token.reveal().encode())
