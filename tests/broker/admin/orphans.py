"""Tokens that no connection holds, made by hand."""

from broker.services import credentials
from providers.messages import OAuthCredential, Secret
from tenants.models import Connection, CredentialOrphan

CANARY = "canary-of-an-orphan"


def held(connection: Connection, outcome: str = CredentialOrphan.Outcome.HELD) -> CredentialOrphan:
    """Return one of this connection's, as a late writer leaves it."""
    tokens = OAuthCredential(access_token=Secret(CANARY), refresh_token=Secret(CANARY))
    return credentials.store_orphan(
        tenant_id=connection.tenant_id, connection_id=connection.pk, fence=7, credential=tokens, outcome=outcome
    )
