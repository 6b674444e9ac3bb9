"""Renews what is due, many connections at once: one pump a worker process.

A driver claims, prepares and marks no more than can be sent at once; senders wait for the providers, without a database
connection; one committer makes the answers durable. PostgreSQL assigns the work: a hint that something is due only
spares the wait until the pump looks by itself.
"""

import threading
from collections.abc import Callable

from broker.driver import Driver
from broker.services import gates, presence
from broker.upkeep import Upkeep


class _Running:
    """The pump of this process."""

    def __init__(self, dead: Callable[[], None]) -> None:
        self.driver = Driver(lambda answers, outcomes: self.upkeep.told(answers, outcomes))
        self.upkeep = Upkeep(wake=self.driver.wake, save_late=self.driver.save_late, alive=self.driver.alive, dead=dead)

    def start(self) -> None:
        presence.start()
        self.upkeep.start()
        self.driver.start()

    def stop(self) -> None:
        self.driver.stop()
        self.upkeep.stop()

    def finish(self) -> None:
        self.driver.finish()
        self.upkeep.finish()
        gates.flush()
        # Last: while anything was out, others had to see that its owner lives.
        presence.stop()


_running: _Running | None = None
_guard = threading.Lock()


def start(dead: Callable[[], None] = lambda: None) -> None:
    """Renew until `finish`, in threads. `dead` is called when renewals have ended for a reason nobody foresaw.

    Effects: what lies in the escrow is replayed first.
    """
    global _running
    with _guard:
        if _running is None:
            _running = _Running(dead)
            _running.start()


def stop() -> None:
    """Claim and send nothing more. Returns at once, and may be called by a signal handler."""
    if _running is not None:
        _running.stop()


def finish() -> None:
    """Return when every request that is out has been answered, and the answer stored."""
    global _running
    stop()
    with _guard:
        running, _running = _running, None
        if running is not None:
            running.finish()


def drain(seconds: float | None = None) -> int:
    """Renew what is due, for so long at most. Returns how many were tried here.

    A process whose pump runs only wakes it. Raises: DatabaseError when nothing can be claimed.
    """
    running = _running
    if running is None:
        return Driver().drain(seconds)
    running.driver.wake()
    return 0


def seconds_since_claim() -> float | None:
    """Return how long ago the pump has asked the database for work and been answered; None when none runs here."""
    running = _running
    return None if running is None else running.driver.seconds_since_claim()
