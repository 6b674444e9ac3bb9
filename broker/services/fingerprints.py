"""Tell which token somebody read, without keeping anything that leads back to it."""

from broker.services import credentials
from broker.services.credential_text import encode
from providers.messages import EnteredCredential, StoredCredential
from tenants.vault import WrappedKey


def of_credential(key: WrappedKey, credential: StoredCredential) -> bytes:
    """Return 16 bytes that tell an access token from others of its tenant.

    Where requests are signed with what was typed in, they are of all of that. Raises KeyUnavailable.
    """
    if isinstance(credential, EnteredCredential):
        return credentials.vault().fingerprint(key, encode(credential))
    return credentials.vault().fingerprint(key, credential.access_token.reveal().encode())
