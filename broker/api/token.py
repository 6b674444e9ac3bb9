"""The hot route, by hand: one query, one unseal, no write. What it costs is measured by `make bench`."""

import re
from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from broker.api import problems
from broker.api.hot import answer, name_of, query, uuid_of, wait_of
from broker.api.source import source_of
from broker.errors import BrokerError, InvalidRequest
from broker.services import callers, issue, scoped
from broker.services.issue import IssuedToken, Wanted
from tenants.querysets import hand_out
from tenants.querysets.hand_out import Named

# RFC 6749 section 3.3; no longer than the column.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_MOST_SCOPES = 50


def connection_token(request: HttpRequest, connection_id: str) -> HttpResponse:
    """GET /v1/connections/{id}/token"""
    return _answer(request, Named(uuid_of(connection_id)), ("min_ttl", "scope"))


def provider_token(request: HttpRequest, tenant: str, provider: str) -> HttpResponse:
    """GET /v1/tenants/{tenant}/providers/{provider}/token"""
    return _answer(request, Named(None, name_of(tenant), name_of(provider)), ("min_ttl", "scope", "label"))


def _answer(request: HttpRequest, named: Named, parameters: tuple[str, ...]) -> HttpResponse:
    if request.method != "GET":
        return problems.method_not_allowed("GET")
    try:
        issued = _issued(request, named, query(request, parameters))
    except BrokerError as error:
        return problems.response(error)
    return answer(issued.as_json())


def _issued(request: HttpRequest, named: Named, given: dict[str, str]) -> IssuedToken:
    presented = callers.parse(request.META.get("HTTP_AUTHORIZATION"), source_of(request.META))
    named = named._replace(label=given.get("label"))
    wanted = Wanted(_min_ttl(given), wait_of(request))
    if "scope" in given:
        return scoped.issue_scoped_token(presented, named, scopes_of(given["scope"]), wanted)
    return issue.issue_access_token(presented, partial(hand_out.for_token, named=named), wanted)


def scopes_of(text: str) -> tuple[str, ...]:
    """Return the scopes of a list with spaces between, each once. Raises InvalidRequest."""
    scopes = tuple(dict.fromkeys(text.split(" ")))
    if len(scopes) > _MOST_SCOPES or not all(map(_SCOPE.fullmatch, scopes)):
        raise InvalidRequest("scope is a list of scopes, one space between them")
    return scopes


def _min_ttl(given: dict[str, str]) -> int | None:
    text = given.get("min_ttl")
    if text is None:
        return None
    limit = settings.TOKEN_MAX_MIN_TTL_SECONDS
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= limit):
        raise InvalidRequest(f"min_ttl is a whole number of seconds from 0 to {limit}")
    return int(text)
