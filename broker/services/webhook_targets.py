"""Where events may be sent, and how they get there: public https addresses, and what operators have opened."""

import ipaddress
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from broker.errors import WebhookTargetRefused
from providers.errors import ProviderError
from providers.outbound import Outbound

_ENDPOINT = "webhook"


class Heard(NamedTuple):
    """What came of one request: a status, or why there is none. Units: retry_after in seconds."""

    status: int | None
    error: str = ""
    retry_after: float | None = None


@cache
def door() -> Outbound:
    """Return the process's door for events: it has ranges opened that no provider may be at."""
    return Outbound(
        connect_timeout=settings.OUTBOUND_CONNECT_TIMEOUT_SECONDS,
        total_timeout=settings.WEBHOOK_TIMEOUT_SECONDS,
        allow_loopback=settings.ALLOW_LOOPBACK_PROVIDERS,
        opened=tuple(ipaddress.ip_network(each) for each in settings.WEBHOOK_ALLOWED_NETWORKS),
    )


def check(url: str) -> None:
    """Raises WebhookTargetRefused, saying why. Effects: the name is looked up; nothing is sent."""
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or "#" in url or "\\" in url or not url.isascii() or any(ord(character) <= 32 for character in url):
        raise WebhookTargetRefused("url must be a plain https address, without user, password or fragment")
    try:
        door().check(url, endpoint=_ENDPOINT)
    except ProviderError as error:
        raise WebhookTargetRefused(f"url: {error.description}") from None


def post(url: str, content: bytes, headers: dict[str, str]) -> Heard:
    """Send once. The address is checked again, and the connection made to the one that was checked."""
    try:
        answer = door().post_json(url, content, headers, endpoint=_ENDPOINT)
    except ProviderError as error:
        return Heard(status=None, error=error.description or type(error).__name__)
    asked = answer.headers.get("retry-after", "")
    return Heard(status=answer.status, retry_after=float(asked) if asked.isdecimal() and len(asked) <= 9 else None)
