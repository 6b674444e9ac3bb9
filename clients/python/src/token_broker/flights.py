"""Single flight: who asks for what is being fetched already waits for that one answer."""

import copy
import time
from collections.abc import Awaitable, Callable, Hashable
from threading import Event, Lock
from typing import Any

import anyio

from token_broker.errors import BrokerUnreachable


class _Outcome:
    """What came of a flight; neither a value nor an error when whoever led it was cancelled."""

    def __init__(self) -> None:
        self.landed = False
        self.value: Any = None
        self.error: Exception | None = None

    def result(self) -> Any:
        if self.error is not None:
            # One exception raised in many threads would mix up their tracebacks.
            raise copy.copy(self.error)
        return self.value


class _Flight(_Outcome):
    def __init__(self) -> None:
        super().__init__()
        self.over = Event()


class _AsyncFlight(_Outcome):
    def __init__(self) -> None:
        super().__init__()
        self.over = anyio.Event()


class Flights:
    """For threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: dict[Hashable, _Flight] = {}

    def fly(self, key: Hashable, fetch: Callable[[], Any], timeout: float) -> Any:
        """Return what fetch returns, called by one thread for all that ask at the same time."""
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                flight = self._under_way.get(key)
                if flight is None:
                    own = self._under_way[key] = _Flight()
            if flight is None:
                return self._lead(key, own, fetch)
            if not flight.over.wait(max(0.0, deadline - time.monotonic())):
                raise BrokerUnreachable("no answer while another thread asked the same")
            if flight.landed:
                return flight.result()

    def _lead(self, key: Hashable, flight: _Flight, fetch: Callable[[], Any]) -> Any:
        try:
            flight.value = fetch()
            flight.landed = True
            return flight.value
        except Exception as error:
            flight.error, flight.landed = error, True
            raise
        finally:
            with self._lock:
                del self._under_way[key]
            flight.over.set()


class AsyncFlights:
    """For tasks of one event loop."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _AsyncFlight] = {}

    async def fly(self, key: Hashable, fetch: Callable[[], Awaitable[Any]], timeout: float) -> Any:
        """Return what fetch returns, called by one task for all. One that is cancelled hands over to another."""
        deadline = anyio.current_time() + timeout
        while (flight := self._under_way.get(key)) is not None:
            with anyio.move_on_at(deadline):
                await flight.over.wait()
            if not flight.over.is_set():
                raise BrokerUnreachable("no answer while another task asked the same")
            if flight.landed:
                return flight.result()
        return await self._lead(key, fetch)

    async def _lead(self, key: Hashable, fetch: Callable[[], Awaitable[Any]]) -> Any:
        flight = self._under_way[key] = _AsyncFlight()
        try:
            flight.value = await fetch()
            flight.landed = True
            return flight.value
        except Exception as error:
            flight.error, flight.landed = error, True
            raise
        finally:
            del self._under_way[key]
            flight.over.set()
