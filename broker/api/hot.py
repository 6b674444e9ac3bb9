"""What the routes by hand share: the query of a URL, names and ids in it, preferences, and the answer."""

import re
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from broker.errors import InvalidRequest

_NO_CONNECTION = UUID(int=0)
_WAIT = re.compile(r'(?:^|,)[ \t]*wait[ \t]*=[ \t]*"?([0-9]{1,9})"?[ \t]*(?:[;,]|$)', re.IGNORECASE)
_encode = msgspec.json.encode


def answer(members: dict[str, object]) -> HttpResponse:
    return HttpResponse(_encode(members), content_type="application/json", headers={"Cache-Control": "no-store"})


def query(request: HttpRequest, known: tuple[str, ...]) -> dict[str, str]:
    """Return the query's parameters, each at most once. Raises InvalidRequest."""
    text = request.META.get("QUERY_STRING", "")
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


def wait_of(request: HttpRequest) -> float | None:
    """Return how many seconds the caller is ready to wait; None when it does not say, or not understandably.

    Source: RFC 7240 section 4.3, and section 2 for what is not understood.
    """
    preferences = request.META.get("HTTP_PREFER")
    found = _WAIT.search(preferences) if preferences else None
    return float(found[1]) if found else None


def name_of(text: str) -> str:
    # The database cannot hold a NUL, so a name with one is as unknown as the empty one.
    return "" if "\x00" in text else text


def uuid_of(text: str) -> UUID:
    # A malformed id looks like an unknown one, and costs the same.
    try:
        return UUID(text) if len(text) == 36 else _NO_CONNECTION
    except ValueError:
        return _NO_CONNECTION
