"""Scripted faults: a queue of misfortunes for the next requests of an endpoint."""

import random
from typing import Any, Literal

import msgspec

Kind = Literal[
    "stall",
    "drop_before",
    "drop_after",
    "html",
    "status",
    "rate_limited",
    "invalid_client",
    "error",
    "cut_body",
    "slow_body",
    "omit_refresh_token",
    "omit_expires_in",
    "narrow_scope",
    "replace",
]
API_ENDPOINTS = frozenset({"companysettings", "customers"})


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One misfortune. `times` None means until cleared; `after` lets the request take effect first."""

    endpoint: str
    kind: Kind
    times: int | None = 1
    client_id: str = ""
    probability: float = 1.0
    after: bool = False
    seconds: float = 0.0
    status: int = 0
    retry_after: int | str | None = None
    error: str = "server_error"
    error_description: str = "a scripted fault"
    scope: str = ""
    fields: dict[str, Any] = {}
    body: str = ""

    def befalls(self, endpoint: str, client_id: str) -> bool:
        """Whether this request is one that the fault is meant for."""
        if self.times == 0 or (self.client_id and self.client_id != client_id):
            return False
        if self.endpoint not in ("*", endpoint) and not (self.endpoint == "api" and endpoint in API_ENDPOINTS):
            return False
        return self.probability >= 1.0 or random.random() < self.probability  # noqa: S311 - no secret


class Faults:
    """The queue: the first fault meant for a request befalls it, and only that one."""

    def __init__(self) -> None:
        self._queue: list[Fault] = []
        self.fired = 0

    def add(self, fault: Fault) -> None:
        """Queue one more."""
        self._queue.append(fault)

    def take(self, endpoint: str, client_id: str) -> Fault | None:
        """The fault for this request, counted down, or None."""
        for fault in self._queue:
            if fault.befalls(endpoint, client_id):
                self._count(fault)
                return fault
        return None

    def _count(self, fault: Fault) -> None:
        self.fired += 1
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times <= 0:
            self._queue.remove(fault)

    def waiting(self) -> list[Fault]:
        """Faults that have not run out."""
        return list(self._queue)

    def clear(self) -> None:
        """No more faults."""
        self._queue.clear()
        self.fired = 0
