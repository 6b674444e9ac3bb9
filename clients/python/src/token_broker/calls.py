"""Each request to the broker, described once for both clients: what is sent, and how its answer is read."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from token_broker.errors import Refused, of_problem
from token_broker.values import Connection, ConnectLink, Headers, Json, Page, Place, Token, Verdict

T = TypeVar("T")
# The API takes no more of an answer's body, and of its headers.
LONGEST_BODY, LONGEST_NAME, LONGEST_HEADER, MOST_HEADERS = 8000, 100, 2000, 50
MOST_IN_A_BATCH = 500
# The API takes requests up to 256 KiB, and base64 makes four bytes of three.
LARGEST_BODY = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request to the broker. repeatable: it may be sent again when no answer came."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    repeatable: bool = True
    idempotency_key: str | None = None
    patience: float | None = None


def token(place: Place, min_ttl: int | None) -> Call[Token]:
    query = _some(min_ttl=min_ttl, scope=place.scope, label=place.label)
    return Call(method="GET", path=f"{_where(place)}/token", query=query, read=Token.of)


def batch(wanted: Iterable[Place | Mapping[str, Any]], min_ttl: int | None) -> Call[list[Token | Refused]]:
    """Raises ValueError for an empty batch, or too large a one."""
    asked = [_member(one, min_ttl) for one in wanted]
    if not 1 <= len(asked) <= MOST_IN_A_BATCH:
        raise ValueError(f"a batch has 1 to {MOST_IN_A_BATCH} members")
    return Call(method="POST", path="/v1/tokens", body={"requests": asked}, read=_results)


def _member(one: Place | Mapping[str, Any], min_ttl: int | None) -> dict[str, Any]:
    given = one._asdict() if isinstance(one, Place) else dict(one)
    return {name: value for name, value in {"min_ttl": min_ttl, **given}.items() if value not in (None, "")}


def _results(told: Json) -> list[Token | Refused]:
    return [_result(one) for one in told["results"]]


def _result(one: Json) -> Token | Refused:
    if one["status"] != 200:
        return of_problem(one.get("problem") or {}, one["status"])
    return Token.of({"connection_id": one.get("connection_id"), **one["token"]})


def headers(place: Place, described: Mapping[str, Any]) -> Call[Headers]:
    query = _some(label=place.label)
    return Call(method="POST", path=f"{_where(place)}/headers", query=query, body=dict(described), read=Headers.of)


def body_of(body: bytes) -> dict[str, str]:
    """Return how a body is described for signing: itself, or its digest where it is large."""
    if len(body) <= LARGEST_BODY:
        return {"body_base64": base64.b64encode(body).decode()}
    # The providers' signatures are made of MD5; nothing else hangs on it.
    return {"body_digest": hashlib.md5(body, usedforsecurity=False).hexdigest()}


def feedback(connection: str, told: Mapping[str, Any]) -> Call[Verdict]:
    # Sent again it would do no harm, but the caller waits for an answer of the provider that is there already.
    path = f"/v1/connections/{quote(connection, safe='')}/feedback"
    return Call(method="POST", path=path, body=dict(told), read=Verdict.of, repeatable=False)


def told_of(
    status: int, version: int, *, headers: Mapping[str, str] | None = None, body: str = "", scope: str | None = None
) -> dict[str, Any]:
    """Return a report's members, cut to what the API takes."""
    given = {name.lower(): _text(value, LONGEST_HEADER) for name, value in (headers or {}).items()}
    challenge = given.pop("www-authenticate", None)
    # Cookies are of no use for a verdict, and may be worth something to somebody.
    kept = [name for name in given if len(name) <= LONGEST_NAME and not name.startswith("set-cookie")]
    told: dict[str, Any] = {"status": status, "version": version}
    told["headers"] = {name: given[name] for name in kept[:MOST_HEADERS]}
    return {**told, **_some(www_authenticate=challenge, body=_text(body, LONGEST_BODY) or None, scope=scope)}


def _text(told: str, longest: int) -> str:
    # Of the broker's, which keeps some of it: a database's text holds no NUL.
    return told.replace("\x00", "")[:longest]


def connections(tenant: str, provider: str, state: str, cursor: str, limit: int) -> Call[Page]:
    query = {"tenant": tenant, "provider": provider, "state": state, "cursor": cursor, "limit": str(limit)}
    return Call(method="GET", path="/v1/connections", query=_filled(query), read=_page)


def connection(connection_id: str) -> Call[Connection]:
    return Call(method="GET", path=f"/v1/connections/{quote(connection_id, safe='')}", read=Connection.of)


def disconnect(connection_id: str) -> Call[Json]:
    path = f"/v1/connections/{quote(connection_id, safe='')}"
    return Call(method="DELETE", path=path, read=_as_it_is, repeatable=False)


def connect_link(
    tenant: str, providers: Sequence[str], idempotency_key: str | None = None, **more: str | None
) -> Call[ConnectLink]:
    body = {"tenant": tenant, "providers": list(providers), **_some(**more)}
    return Call(
        method="POST",
        path="/v1/connect-sessions",
        body=body,
        read=ConnectLink.of,
        repeatable=False,
        idempotency_key=idempotency_key,
    )


def connect_session(session_id: str) -> Call[Json]:
    return Call(method="GET", path=f"/v1/connect-sessions/{quote(session_id, safe='')}", read=_as_it_is)


def events(after: str, types: Sequence[str], tenant: str, connection_id: str, wait: float) -> Call[Page]:
    query = {"cursor": after, "type": ",".join(types), "tenant": tenant, "connection": connection_id}
    return Call(method="GET", path="/v1/events", query=_filled(query), read=_page, patience=wait)


def _where(place: Place) -> str:
    if place.connection is not None:
        return f"/v1/connections/{quote(place.connection, safe='')}"
    return f"/v1/tenants/{quote(place.tenant, safe='')}/providers/{quote(place.provider, safe='')}"


def _some(**given: Any) -> dict[str, str]:
    return {name: str(value) for name, value in given.items() if value is not None}


def _filled(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _page(told: Json) -> Page:
    return Page(list(told["items"]), told.get("next_cursor"))


def _as_it_is(told: Json) -> Json:
    return told
