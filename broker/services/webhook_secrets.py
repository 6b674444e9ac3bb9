"""An endpoint's signing secrets: sealed in its row, shown once, the one before good for a while after a change.

Source: Standard Webhooks, "Symmetric signatures" and "Signature scheme".
"""

import base64
import json
import secrets
from datetime import UTC, datetime

from standardwebhooks import Webhook

from broker.services import credentials
from tenants.models import WebhookEndpoint

_BYTES = 32


def fresh() -> str:
    """Return a new secret, `whsec_...`."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}"


def put(endpoint: WebhookEndpoint, values: list[str]) -> None:
    """Seal these, the newest last, into a row that is still to be saved."""
    sealed = credentials.seal(endpoint.seal_context(), json.dumps(values).encode())
    endpoint.sealed_secrets, endpoint.data_key = sealed.blob, sealed.key


def valid(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """Return the secrets that sign now, the newest last. Raises SealBroken, KeyUnavailable."""
    opened = credentials.unseal(endpoint.data_key, endpoint.seal_context(), endpoint.sealed_secrets)
    values: list[str] = json.loads(opened)
    ends = endpoint.previous_secrets_end_at
    return values if ends is not None and now < ends else values[-1:]


def headers(message_id: str, body: str, values: list[str], now: datetime) -> dict[str, str]:
    """Return the headers that prove who sent the body, and when: one signature for each secret."""
    at = now.astimezone(UTC).replace(microsecond=0)
    signatures = [Webhook(value).sign(message_id, at, body) for value in reversed(values)]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
