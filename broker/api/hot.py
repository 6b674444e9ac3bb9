"""What the routes by hand share: query, names, ids and preferences of a request, from its WSGI environment."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from broker.errors import InvalidRequest
from broker.services import callers
from broker.services.callers import PresentedKey
from broker.services.source import source_of

# A WSGI environment (PEP 3333); Django's request.META is one.
Environ = Mapping[str, Any]

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.IGNORECASE
)
_NO_CONNECTION = UUID(int=0)
_NOBODY = str(_NO_CONNECTION)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# As long as the columns that it is kept in.
_USER = re.compile(r"[\x21-\x7e]{1,64}")
_WAIT = re.compile(r'(?:^|,)[ \t]*wait[ \t]*=[ \t]*"?([0-9]{1,9})"?[ \t]*(?:[;,]|$)', re.IGNORECASE)


def presented_by(environ: Environ, authorization: str | None = None) -> PresentedKey:
    """Return the key of a request, where it comes from, and on behalf of whom.

    Shape:  authorization stands in the place of the header of that name.
    Raises: Unauthenticated, IssuerUnavailable, InvalidRequest.
    """
    given = authorization or environ.get("HTTP_AUTHORIZATION")
    return callers.parse(given, source_of(environ), on_behalf_of(environ))


def on_behalf_of(environ: Environ) -> str:
    """Return which of the caller's own users a request is made for; empty when it does not say. Raises InvalidRequest.

    It is the caller's word: written down, and never asked what may be done.
    """
    text: str | None = environ.get("HTTP_ON_BEHALF_OF")
    if text is not None and not _USER.fullmatch(text):
        raise InvalidRequest("On-Behalf-Of is the id of a user: at most 64 visible ASCII characters, without spaces")
    return text or ""


def query(environ: Environ, known: tuple[str, ...]) -> dict[str, str]:
    """Return the query's parameters, each at most once. Raises InvalidRequest."""
    text = environ.get("QUERY_STRING", "")
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise InvalidRequest("the query is not well-formed") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidRequest("a query parameter is repeated")
    unknown = set(found) - set(known)
    if unknown or any("\x00" in value for value in found.values()):
        raise InvalidRequest(f"the query takes {' and '.join(known) or 'no parameters'}")
    return found


def wait_of(environ: Environ) -> float | None:
    """Return how many seconds the caller is ready to wait; None when it does not say.

    Raises: InvalidRequest for a deadline that is no instant. A preference that is not understood is ignored.
    Source: RFC 7240 sections 2 and 4.3.
    """
    preferences, deadline = environ.get("HTTP_PREFER"), environ.get("HTTP_X_REQUEST_DEADLINE")
    found = _WAIT.search(preferences) if preferences else None
    wait = float(found[1]) if found else None
    if deadline is None:
        return wait
    left = seconds_until(deadline, datetime.now(UTC))
    return left if wait is None else min(wait, left)


def seconds_until(deadline: str, now: datetime) -> float:
    """Return the seconds that are left, 0 when it has passed. Raises InvalidRequest unless it is as RFC 3339 says."""
    try:
        instant = datetime.fromisoformat(deadline.upper()) if _INSTANT.fullmatch(deadline) else None
    except ValueError:
        instant = None
    if instant is None:
        raise InvalidRequest("X-Request-Deadline is an instant like 2026-03-02T09:15:00Z")
    return max((instant - now).total_seconds(), 0.0)


def name_of(text: str) -> str:
    # The database cannot hold a NUL, so a name with one is as unknown as the empty one.
    return "" if "\x00" in text else text


def id_of(text: str) -> str:
    """As uuid_of, for the database alone, which reads it faster than Python does."""
    return text.lower() if _UUID.fullmatch(text) else _NOBODY


def uuid_of(text: str) -> UUID:
    # A malformed id looks like an unknown one, and costs the same.
    try:
        return UUID(text) if len(text) == 36 else _NO_CONNECTION
    except ValueError:
        return _NO_CONNECTION
