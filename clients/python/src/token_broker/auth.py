"""`auth` for httpx, with threads and with tasks, and for requests: one object."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import anyio.to_thread
import httpx

from token_broker import guard
from token_broker.conversation import Answer, Ask, Given, Manners, Outgoing, Refusal, Send, Tell, advance
from token_broker.origins import origins_of
from token_broker.requests_auth import RequestsExchange
from token_broker.values import Place

if TYPE_CHECKING:
    from requests import PreparedRequest


class Performs(Protocol):
    """The broker, as a conversation needs it."""

    def in_hand(self, place: Place) -> Given | None: ...

    def perform(self, step: Ask | Tell) -> Any: ...


class PerformsLater(Protocol):
    """The same, for tasks."""

    async def perform(self, step: Ask | Tell) -> Any: ...


class _Auth(httpx.Auth):
    """What is the same whoever waits."""

    def __init__(self, place: Place, refused: Refusal | None, origins: Sequence[str]) -> None:
        self._manners = Manners(place, refused, origins_of(origins))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self._manners.place}>"

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """For httpx.AsyncClient."""
        conversation = self._manners.hold(outgoing(request))
        step = next(conversation, None)
        while step is not None:
            if isinstance(step, Send):
                guard.attach(request, step, guard.AsyncGuard)
                response = yield request
                if self._manners.wants_text(response.status_code):
                    await response.aread()
                step = advance(conversation, answer_of(response))
            else:
                step = advance(conversation, await self._later(step))

    @abstractmethod
    async def _later(self, step: Ask | Tell) -> Any:
        """Do what the conversation needs of the broker."""


class BrokerAuth(_Auth):
    """Of a TokenBroker. With httpx.AsyncClient too: what has to be fetched is fetched in a thread there."""

    def __init__(self, broker: Performs, place: Place, *, refused: Refusal | None, origins: Sequence[str]) -> None:
        super().__init__(place, refused, origins)
        self._broker = broker

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """For httpx.Client."""
        conversation = self._manners.hold(outgoing(request))
        step = next(conversation, None)
        while step is not None:
            if isinstance(step, Send):
                guard.attach(request, step, guard.Guard)
                response = yield request
                if self._manners.wants_text(response.status_code):
                    response.read()
                step = advance(conversation, answer_of(response))
            else:
                step = advance(conversation, self._broker.perform(step))

    async def _later(self, step: Ask | Tell) -> Any:
        ready = self._broker.in_hand(step.place) if isinstance(step, Ask) else None
        return ready or await anyio.to_thread.run_sync(self._broker.perform, step)

    def __call__(self, request: "PreparedRequest") -> "PreparedRequest":
        """For requests."""
        if not hasattr(request, "register_hook"):
            # Other clients that take any callable would send it once, and follow redirects with it.
            raise TypeError("this auth is for httpx and requests")
        return RequestsExchange(self._broker.perform, self._manners).begin(request)


class AsyncBrokerAuth(_Auth):
    """Of an AsyncTokenBroker, for httpx.AsyncClient only."""

    def __init__(self, broker: PerformsLater, place: Place, *, refused: Refusal | None, origins: Sequence[str]) -> None:
        super().__init__(place, refused, origins)
        self._broker = broker

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Raises TypeError: who cannot wait for a task needs a TokenBroker."""
        raise TypeError("this auth is of an AsyncTokenBroker; for httpx.Client and requests make a TokenBroker")
        yield request

    async def _later(self, step: Ask | Tell) -> Any:
        return await self._broker.perform(step)


def outgoing(request: httpx.Request) -> Outgoing:
    """Return the request as a conversation sees it."""
    digest = request.extensions.get("body_digest")
    # Both kinds at once: what httpx holds itself, bytes or forms with files. One kind: somebody's iterator.
    held = isinstance(request.stream, httpx.SyncByteStream) and isinstance(request.stream, httpx.AsyncByteStream)
    return Outgoing(
        method=request.method,
        url=str(request.url).partition("#")[0],
        read=request.read if held else lambda: None,
        digest=lambda: digest if isinstance(digest, str) else None,
        # Without a length, a form's file may be one that cannot be rewound.
        again=isinstance(request.stream, httpx.ByteStream) or (held and "Content-Length" in request.headers),
        content_type=request.headers.get("Content-Type"),
        headers={name: value for name, value in request.headers.items() if name.startswith("x-")},
    )


def answer_of(response: httpx.Response) -> Answer:
    """Return the answer as a conversation sees it; without text where the body has not been read."""
    return Answer(
        status=response.status_code,
        url=str(response.url),
        headers=dict(response.headers),
        text=response.text if response.is_closed else "",
    )
