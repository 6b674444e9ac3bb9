"""What both clients remember and decide; they differ only in how they wait."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from token_broker import calls, keys
from token_broker.calls import Call
from token_broker.errors import (
    BrokerUnreachable,
    CustomerNeeded,
    Disconnected,
    NotAllowed,
    NotFound,
    ReauthorizationRequired,
    Refused,
    ScopeMissing,
    Suspended,
    TokenBrokerError,
    TryLater,
    UnsupportedOperation,
)
from token_broker.held import MARGIN_SECONDS, MAX_AGE_SECONDS, Held, Store
from token_broker.values import Connection, ConnectLink, Headers, Page, Place, Token, Verdict
from token_broker.wire import Answered

logger = logging.getLogger("token_broker")
TIMEOUT_SECONDS = 10.0
# With something good in hand nobody waits long for something better.
IN_HAND_SECONDS = 3.0
EVENT_PAUSE_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
_AWAY = (BrokerUnreachable, TryLater)
_OVER = (CustomerNeeded, Disconnected, Suspended, NotFound, NotAllowed)
Key = str | Callable[[], str] | None


class Options(TypedDict, total=False):
    """What a client may be told besides. Units: seconds, timeout for all attempts of one call together."""

    key_file: str | os.PathLike[str] | None
    timeout: float
    margin: float
    max_age: float


class Settings(NamedTuple):
    """What a client is made with."""

    url: str
    key: keys.KeySource
    timeout: float

    def __repr__(self) -> str:
        return f"Settings(url={self.url!r}, timeout={self.timeout})"


class Core:
    """Settings, caches, and what is known about places. The process that made it is told from one it forked."""

    def __init__(
        self,
        url: str | None = None,
        key: Key = None,
        *,
        key_file: str | os.PathLike[str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        margin: float = MARGIN_SECONDS,
        max_age: float = MAX_AGE_SECONDS,
    ) -> None:
        source = keys.key_source(key, key_file, os.environ)
        self.settings = Settings(keys.url_of(url, os.environ), source, timeout)
        self._tokens: Store[Token] = Store(margin, max_age)
        self._headers: Store[Headers] = Store(margin, max_age)
        # Bound once: the warm path is a dictionary and a clock.
        self._held = self._tokens.get
        self._signing: set[Place] = set()
        self._ids: dict[Place, str] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings.url!r})"

    def forget(self) -> None:
        """Drop all tokens and headers that are held."""
        self._tokens.clear()
        self._headers.clear()

    def in_hand(self, place: Place) -> Token | Headers | None:
        """Return what the next request to this place may carry, if it is here."""
        if place in self._signing:
            ready = self._headers.get(place)
            return ready.given if ready is not None and ready.is_fresh(None) else None
        held = self._held(place)
        return held.given if held is not None and held.is_fresh(None) else None

    def _patience(self, held: Held[Token] | None, min_ttl: int | None, timeout: float | None) -> float:
        limit = self.settings.timeout if timeout is None else timeout
        return min(limit, IN_HAND_SECONDS) if held is not None and held.is_good(min_ttl) else limit

    def _keep_token(self, place: Place, answered: Answered) -> Token:
        token: Token = answered.value
        self._tokens.keep(place, token, token.expires_at, answered.at)
        return token

    def _keep_batch(self, wanted: Sequence[Place | Mapping[str, Any]], answered: Answered) -> list[Token | Refused]:
        """Hold what a batch brought: it is a way to have many tokens at hand before they are needed."""
        found: list[Token | Refused] = answered.value
        for place, given in zip(wanted, found, strict=True):
            if isinstance(place, Place) and isinstance(given, Token):
                self._tokens.keep(place, given, given.expires_at, answered.at)
        return found

    def _instead(self, place: Place, min_ttl: int | None, error: TokenBrokerError) -> Token:
        """Return what is held and works while the broker is away. Raises the error when there is nothing."""
        if isinstance(error, _OVER):
            self._tokens.drop(place)
        held = self._tokens.get(place)
        if held is None or not isinstance(error, _AWAY) or not held.is_good(min_ttl):
            raise error
        logger.warning("the broker gave no token for %s (%s); the one in hand still works", place, error)
        self._tokens.hold_on(held)
        return held.given

    def _keep_headers(self, place: Place, answered: Answered) -> Headers:
        headers: Headers = answered.value
        if not headers.single_use:
            self._headers.keep(place, headers, headers.valid_until, answered.at)
        return headers

    def _learn_signing(self, place: Place, error: UnsupportedOperation) -> None:
        """This provider has no tokens but headers: remember it. Raises the error when it has neither."""
        if "hands_out_headers" not in error.supported:
            raise error
        self._signing.add(place)

    def _known_id(self, place: Place, given: Token | Headers) -> str | None:
        return given.connection_id or place.connection or self._ids.get(place._replace(scope=None))

    def _only(self, place: Place, page: Page) -> str:
        """Return the id of the one connection at a place, and remember it."""
        found = [Connection.of(one) for one in page.items if one["state"] != "disconnected"]
        found = [one for one in found if place.label is None or one.label == place.label]
        if len(found) != 1:
            raise NotFound(f"there are {len(found)} connections at {place}", {"code": "connection_not_found"})
        self._ids[place._replace(scope=None)] = found[0].id
        return found[0].id

    def _conclude(self, place: Place, used: Token | Headers, verdict: Verdict) -> Verdict:
        """Return the verdict once the caches follow it. Raises ReauthorizationRequired, ScopeMissing."""
        if verdict.verdict in ("renewed", "stale_version", "confirmed_dead"):
            self._tokens.drop(place, used.version)
            self._headers.drop(place, used.version)
        problem = {"action": verdict.action, "reason": verdict.reason, "connect_url": verdict.connect_url}
        if verdict.verdict == "confirmed_dead":
            told = verdict.explanation or "the provider no longer accepts this connection"
            raise ReauthorizationRequired(told, {"code": "reauthorization_required", "status": 409, **problem})
        if verdict.verdict == "scope_missing":
            told = verdict.explanation or "the token lacks a scope that the call needs"
            raise ScopeMissing(told, {"code": "scope_missing", "status": 403, **problem})
        return verdict


def by_place(given: str | tuple[str, ...] | Place | Mapping[str, Any]) -> Place | Mapping[str, Any]:
    """Return one member of a batch: a connection id, (tenant, provider), (tenant, provider, label), or members."""
    if isinstance(given, str):
        return Place(connection=given)
    if isinstance(given, tuple) and not isinstance(given, Place):
        return Place(*given)
    return given


def link_call(
    tenant: str, providers: str | Sequence[str], idempotency_key: str | None, **more: str | None
) -> Call[ConnectLink]:
    named = [providers] if isinstance(providers, str) else list(providers)
    return calls.connect_link(tenant, named, idempotency_key, **more)


def headers_described(
    method: str,
    url: str,
    body: bytes | str | None,
    body_digest: str | None,
    content_type: str | None,
    headers: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return a request as POST .../headers wants it described."""
    described: dict[str, Any] = {"method": method.upper(), "url": str(url)}
    if body:
        described |= calls.body_of(body.encode() if isinstance(body, str) else body)
    more = {"body_digest": body_digest, "content_type": content_type, "headers": dict(headers or {}) or None}
    return described | {name: value for name, value in more.items() if value is not None}
