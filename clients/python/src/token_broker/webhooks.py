"""Is this webhook the broker's? Source: the Standard Webhooks specification, its symmetric scheme."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping

from token_broker.errors import WebhookRefused
from token_broker.values import Event

TOLERANCE_SECONDS = 300


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret: str | Iterable[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Event:
    """Return the event of a webhook that the broker signed. While a secret is replaced, give both.

    The same event may come more than once: its id tells.
    Raises: WebhookRefused, ValueError for a secret that is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, at, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookRefused(f"there is no header {missing}") from None
    moment = time.time() if now is None else now
    if not (at.isascii() and at.isdigit()) or abs(int(at) - moment) > tolerance:
        raise WebhookRefused("webhook-timestamp is too far from now")
    signed = f"{event_id}.{at}.".encode() + body
    secrets = [secret] if isinstance(secret, str) else list(secret)
    wanted = [hmac.digest(_key(one), signed, hashlib.sha256) for one in secrets]
    if not any(_same(one, wanted) for one in signatures.split(" ")):
        raise WebhookRefused("no signature fits")
    return _event(event_id, body)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret is whsec_ and base64") from None


def _same(signature: str, wanted: list[bytes]) -> bool:
    version, _, text = signature.partition(",")
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    # No shortcut: how long it takes says nothing of which secret fits.
    return version == "v1" and sum([hmac.compare_digest(found, one) for one in wanted]) > 0


def _event(event_id: str, body: bytes) -> Event:
    try:
        return Event.of({**json.loads(body), "id": event_id})
    except (ValueError, KeyError, TypeError):
        raise WebhookRefused("the body is not an event") from None
