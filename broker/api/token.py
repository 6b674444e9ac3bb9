"""The hot route, by hand: one query, one unseal, no write. What it costs is measured by `make bench`."""

from functools import partial
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from broker.api import problems
from broker.errors import BrokerError, InvalidRequest
from broker.services import callers, issue
from broker.services.issue import Find
from tenants.querysets import hand_out

_NO_CONNECTION = UUID(int=0)
_encode = msgspec.json.encode


def connection_token(request: HttpRequest, connection_id: str) -> HttpResponse:
    """GET /v1/connections/{id}/token"""
    return _answer(request, partial(hand_out.by_connection, connection_id=_uuid(connection_id)), ("min_ttl",))


def provider_token(request: HttpRequest, tenant: str, provider: str) -> HttpResponse:
    """GET /v1/tenants/{tenant}/providers/{provider}/token"""
    try:
        label = _query(request, ("min_ttl", "label")).get("label")
    except BrokerError as error:
        return problems.response(error)
    find = partial(hand_out.by_name, tenant=_name(tenant), provider=_name(provider), label=label)
    return _answer(request, find, ("min_ttl", "label"))


def _answer(request: HttpRequest, find: Find, parameters: tuple[str, ...]) -> HttpResponse:
    if request.method != "GET":
        return problems.method_not_allowed("GET")
    try:
        presented = callers.parse(request.META.get("HTTP_AUTHORIZATION"))
        issued = issue.issue_access_token(presented, find, min_ttl=_min_ttl(_query(request, parameters)))
    except BrokerError as error:
        return problems.response(error)
    return HttpResponse(
        _encode(issued.as_json()), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _query(request: HttpRequest, known: tuple[str, ...]) -> dict[str, str]:
    """Return the query's parameters, each at most once. Raises InvalidRequest."""
    text = request.META.get("QUERY_STRING", "")
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise InvalidRequest("the query is not well-formed") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise InvalidRequest("a query parameter is repeated")
    unknown = set(query) - set(known)
    if unknown or any("\x00" in value for value in query.values()):
        raise InvalidRequest(f"the query takes {' and '.join(known)}")
    return query


def _min_ttl(query: dict[str, str]) -> int | None:
    text = query.get("min_ttl")
    if text is None:
        return None
    limit = settings.TOKEN_MAX_MIN_TTL_SECONDS
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= limit):
        raise InvalidRequest(f"min_ttl is a whole number of seconds from 0 to {limit}")
    return int(text)


def _name(text: str) -> str:
    # The database cannot hold a NUL, so a name with one is as unknown as the empty one.
    return "" if "\x00" in text else text


def _uuid(text: str) -> UUID:
    # A malformed id looks like an unknown one, and costs the same.
    try:
        return UUID(text) if len(text) == 36 else _NO_CONNECTION
    except ValueError:
        return _NO_CONNECTION
