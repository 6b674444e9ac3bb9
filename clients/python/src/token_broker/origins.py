"""Who may see the headers: the provider's own origin, and nobody else."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from token_broker.errors import ForeignOrigin

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port. Source: RFC 6454 section 4."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def origin_of(url: str) -> Origin:
    """Return the origin of a URL. Raises ForeignOrigin for one that has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        return Origin(parts.scheme, (parts.hostname or "").lower().rstrip("."), port)
    except (ValueError, KeyError):
        raise ForeignOrigin("the request's URL is not an http or https address") from None


def target_of(url: str) -> str:
    """Return path and query, as they stand in the request line."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def origins_of(urls: Iterable[str]) -> frozenset[Origin]:
    return frozenset(map(origin_of, urls))


def check(url: str, allowed: frozenset[Origin]) -> None:
    """Raises ForeignOrigin when the URL is not at one of these."""
    found = origin_of(url)
    if found not in allowed:
        homes = " or ".join(sorted(map(str, allowed)))
        raise ForeignOrigin(f"the provider's API lives at {homes}; its headers are not sent to {found}")
