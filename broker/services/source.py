"""Where a request comes from, as far as it can be known."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings


def source_of(environ: Mapping[str, Any]) -> str:
    """Return the peer's address; behind the trusted proxy, the one that the proxy saw. Empty where there is none.

    The proxy appends what it saw to X-Forwarded-For: only the last entry is its own word.
    """
    if settings.TRUSTED_PROXY:
        forwarded: str = environ.get("HTTP_X_FORWARDED_FOR", "")
        return forwarded.rpartition(",")[2].strip()[:45]
    peer: str = environ.get("REMOTE_ADDR", "")
    return peer[:45]
