"""The hot route, by hand: one query, one unseal, no write. What it costs is measured by `make bench`."""

import re
from functools import partial

from django.conf import settings

from broker.api.hot import Environ, id_of, name_of, presented_by, query, wait_of
from broker.api.reply import Reply, encoded
from broker.errors import InvalidRequest
from broker.services import issue, scoped
from broker.services.issue import Wanted
from tenants.querysets import hand_out
from tenants.querysets.hand_out import Named

# RFC 6749 section 3.3; no longer than the column.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_MOST_SCOPES = 50


def by_id(environ: Environ, connection_id: str) -> Reply:
    """GET /v1/connections/{id}/token. Raises BrokerError."""
    return _answer(environ, Named(id_of(connection_id)), ("min_ttl", "scope"))


def by_name(environ: Environ, tenant: str, provider: str) -> Reply:
    """GET /v1/tenants/{tenant}/providers/{provider}/token. Raises BrokerError."""
    return _answer(environ, Named(None, name_of(tenant), name_of(provider)), ("min_ttl", "scope", "label"))


def _answer(environ: Environ, named: Named, parameters: tuple[str, ...]) -> Reply:
    return encoded(_issued(environ, named, query(environ, parameters)))


def _issued(environ: Environ, named: Named, given: dict[str, str]) -> bytes:
    presented = presented_by(environ)
    if "label" in given:
        named = named._replace(label=given["label"])
    wanted = Wanted(_min_ttl(given), wait_of(environ))
    if "scope" in given:
        issued = scoped.issue_scoped_token(presented, named, scopes_of(given["scope"]), wanted)
        return issue.encode(issued.as_json())
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
