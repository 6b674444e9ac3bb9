"""What an access token that is a JWT says of itself.

The signature is not looked at: the token comes straight from the token endpoint over TLS, which says as much
(OpenID Connect Core section 3.1.3.7, point 6). A token from anywhere else is never read here.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

from providers.messages import Secret
from providers.protocol.strict_json import parse_object

_LIMIT = 32768


def claims_of(token: Secret) -> dict[str, Any] | None:
    """The claims, or None when the token is no JWT.

    Source: RFC 7519 section 7.2, RFC 7515 section 5.2.
    """
    parts = token.reveal().split(".")
    if len(parts) != 3 or len(parts[1]) > _LIMIT:
        return None
    try:
        payload = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except ValueError:
        return None
    return parse_object(payload)
