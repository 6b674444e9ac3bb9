"""The broker, for threads."""

import os
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

import httpx

from token_broker import calls, core, wire
from token_broker.auth import BrokerAuth
from token_broker.calls import Call
from token_broker.conversation import Ask, Refusal, Tell
from token_broker.core import Core, Key, Options
from token_broker.errors import Refused, TokenBrokerError, UnsupportedOperation
from token_broker.flights import Flights
from token_broker.values import Connection, ConnectLink, Event, Headers, Json, Place, Token, Verdict, place_of
from token_broker.wire import Answered

T = TypeVar("T")


class TokenBroker(Core):
    """One broker and one API key. Make one for the process, use it from any thread.

    url and key are those of the environment (BROKER_URL, BROKER_API_KEY, BROKER_API_KEY_FILE) where they are not
    given. trust_env: whether proxies are taken from the environment.
    """

    def __init__(
        self,
        url: str | None = None,
        key: Key = None,
        *,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(url, key, **options)
        self._verify, self._trust_env = verify, trust_env
        self._flights, self._process = Flights(), 0
        self._http = self._connected()

    def _connected(self) -> httpx.Client:
        """Return the HTTP client of this process: connections that two processes share mix up their answers."""
        if self._process != os.getpid():
            self._process, self._flights = os.getpid(), Flights()
            self._http = httpx.Client(verify=self._verify, trust_env=self._trust_env)
        return self._http

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the broker, and forget what is held."""
        self.forget()
        self._http.close()

    # Tokens and headers

    def token(
        self,
        tenant: str = "",
        provider: str = "",
        *,
        label: str | None = None,
        connection: str | UUID | None = None,
        min_ttl: int | None = None,
        scope: str | None = None,
        timeout: float | None = None,
    ) -> Token:
        """Return a token that is good for at least min_ttl seconds, from memory where one is there.

        Raises: Refused and its like, BrokerUnreachable.
        """
        # A plain tuple equals the Place of the same members, and is made in a third of the time.
        held = self._held((tenant, provider, label, connection, scope))
        if held is not None and held.is_fresh(min_ttl):
            return held.given
        return self._token(place_of(tenant, provider, label, connection, scope), min_ttl, timeout)

    def _token(self, place: Place, min_ttl: int | None, timeout: float | None) -> Token:
        held = self._held(place)
        if held is not None and held.is_fresh(min_ttl):
            return held.given
        patience = self._patience(held, min_ttl, timeout)
        found: Token = self._flights.fly((place, min_ttl), lambda: self._fetched(place, min_ttl, patience), patience)
        return found

    def _fetched(self, place: Place, min_ttl: int | None, timeout: float) -> Token:
        try:
            return self._keep_token(place, self._answered(calls.token(place, min_ttl), timeout))
        except TokenBrokerError as error:
            return self._instead(place, min_ttl, error)

    def tokens(
        self,
        wanted: Iterable[str | tuple[str, ...] | Place | Mapping[str, Any]],
        *,
        min_ttl: int | None = None,
        timeout: float | None = None,
    ) -> list[Token | Refused]:
        """Return a token, or why there is none, for each of up to 500: ids, or (tenant, provider[, label])."""
        places = list(map(core.by_place, wanted))
        return self._keep_batch(places, self._answered(calls.batch(places, min_ttl), timeout))

    def headers(
        self,
        tenant: str = "",
        provider: str = "",
        *,
        method: str,
        url: str,
        label: str | None = None,
        connection: str | UUID | None = None,
        body: bytes | str | None = None,
        body_digest: str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Headers:
        """Return the headers of one request to the provider's API, signed for it where the provider wants that."""
        place = place_of(tenant, provider, label, connection)
        described = core.headers_described(method, url, body, body_digest, content_type, headers)
        return self._send(calls.headers(place, described), timeout)

    def feedback(
        self,
        connection: str | UUID,
        *,
        status: int,
        version: int,
        headers: Mapping[str, str] | None = None,
        body: str = "",
        scope: str | None = None,
        timeout: float | None = None,
    ) -> Verdict:
        """Return what is to be done after the provider's API answered like this."""
        told = calls.told_of(status, version, headers=headers, body=body, scope=scope)
        return self._send(calls.feedback(str(connection), told), timeout)

    def auth(
        self,
        tenant: str = "",
        provider: str = "",
        *,
        label: str | None = None,
        connection: str | UUID | None = None,
        scope: str | None = None,
        refused: Refusal | None = None,
        origins: Sequence[str] = (),
    ) -> BrokerAuth:
        """Return `auth` for httpx and requests: it fetches, signs, reports a refusal, and tries once more.

        refused says of an answer whether it refuses the credential, where the provider does not say so by status 401
        or 403. origins are further addresses of the provider that may see its headers, beside that of base_url.
        """
        place = place_of(tenant, provider, label, connection, scope)
        return BrokerAuth(self, place, refused=refused, origins=origins)

    # Connections

    def connections(
        self, *, tenant: str = "", provider: str = "", state: str = "", page_size: int = 200
    ) -> Iterator[Connection]:
        """Give the connections, newest first, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._send(calls.connections(tenant, provider, state, cursor, page_size))
            yield from map(Connection.of, page.items)
            cursor = page.next_cursor

    def connection(self, connection: str | UUID) -> Connection:
        """Return how a connection stands; reading it renews nothing."""
        return self._send(calls.connection(str(connection)))

    def connect_link(
        self,
        tenant: str,
        providers: str | Sequence[str],
        *,
        return_url: str | None = None,
        locale: str | None = None,
        label: str | None = None,
        connection: str | UUID | None = None,
        idempotency_key: str | None = None,
    ) -> ConnectLink:
        """Return a link for the customer; with connection, one that repairs it."""
        repaired = None if connection is None else str(connection)
        more = {"return_url": return_url, "locale": locale, "label": label, "connection": repaired}
        return self._send(core.link_call(tenant, providers, idempotency_key, **more))

    def connect_session(self, session_id: str) -> Json:
        """Return how far the customer has come with a link."""
        return self._send(calls.connect_session(session_id))

    def disconnect(self, connection: str | UUID) -> Json:
        """End a connection here, and tell the provider."""
        return self._send(calls.disconnect(str(connection)))

    def events(
        self,
        after: str = "now",
        *,
        types: Sequence[str] = (),
        tenant: str = "",
        connection: str | UUID | None = None,
        wait: float | None = 20.0,
    ) -> Iterator[Event]:
        """Give events as they come, without end; with wait None those that are there. after is an event's cursor.

        after "now" gives what comes, "" begins with the oldest that is kept.
        """
        patience, cursor, connection_id = wait or 0.0, after, str(connection or "")
        while True:
            asked = time.monotonic()
            call = calls.events(cursor, types, tenant, connection_id, patience)
            page = self._send(call, self.settings.timeout + patience)
            yield from map(Event.of, page.items)
            at_the_end, cursor = page.next_cursor in (None, cursor), page.next_cursor or cursor
            if wait is None and at_the_end and not page.items:
                return
            # The broker lets few wait at a time: who is answered at once comes again after a moment.
            if wait is not None and not page.items and time.monotonic() - asked < core.EVENT_PAUSE_SECONDS:
                time.sleep(core.EVENT_PAUSE_SECONDS)

    # For auth

    def perform(self, step: Ask | Tell) -> Token | Headers | Verdict | None:
        """Do what a conversation with the provider needs of the broker."""
        return self._given(step) if isinstance(step, Ask) else self._verdict(step)

    def _given(self, step: Ask) -> Token | Headers:
        place = step.place
        if place not in self._signing:
            try:
                return self._token(place, None, None)
            except UnsupportedOperation as error:
                self._learn_signing(place, error)
        ready = self.in_hand(place)
        return ready or self._keep_headers(place, self._answered(calls.headers(place, step.described()), None))

    def _verdict(self, step: Tell) -> Verdict | None:
        try:
            verdict = self._send(calls.feedback(self._id_of(step), step.told()))
        except TokenBrokerError as error:
            core.logger.warning("the provider's answer was not reported for %s: %s", step.place, error)
            return None
        return self._conclude(step.place, step.used, verdict)

    def _id_of(self, step: Tell) -> str:
        known = self._known_id(step.place, step.used)
        if known:
            return known
        place = step.place
        return self._only(place, self._send(calls.connections(place.tenant, place.provider, "", "", 200)))

    # The wire

    def _send(self, call: Call[T], timeout: float | None = None) -> T:
        value: T = self._answered(call, timeout).value
        return value

    def _answered(self, call: Call[Any], timeout: float | None) -> Answered:
        deadline = time.monotonic() + (self.settings.timeout if timeout is None else timeout)
        for pause in wire.pauses():
            try:
                return self._once(call, deadline - time.monotonic())
            except TokenBrokerError as error:
                wait = wire.pause_before_next(call, error, pause, deadline - time.monotonic())
                if wait is None:
                    raise
            time.sleep(wait)
        raise AssertionError("the pauses do not end")

    def _once(self, call: Call[Any], left: float) -> Answered:
        arguments = wire.arguments(call, self.settings.url, self.settings.key(), left)
        try:
            response = self._connected().request(**arguments)
        except httpx.HTTPError as error:
            failure = wire.unreachable(call, error)
        else:
            return wire.read(call, response)
        # Outside of the handler: httpx's exception holds the request, and the request holds the key.
        raise failure
