"""Access tokens as an authorization server would write them, unsigned."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode


def jwt(claims: dict[str, object]) -> str:
    """A token with these claims, and a signature that nobody looks at."""
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims))
    return ".".join([*(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "c2ln"])
