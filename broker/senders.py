"""The requests that a worker has out at once: how many more there may be, and whose."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from broker.services import renewal_steps
from broker.services.renewal_attempt import Answer, Attempt

# One registration may use so many times what is still free. Alone it gets two thirds of all; when several providers
# hang at once, each takes two thirds of what the others left.
_SHARE = 2
_URGENT = 8
# Fewer than this many free places are waited for: claiming one by one would cost three statements each.
_STEP = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What may be claimed now.

    Shape:  full are the registrations that have their share; spare places are kept for urgent renewals.
    """

    limit: int
    spare: int
    full: frozenset[UUID]
    wide: bool


def room(count: int, out: Counter[UUID]) -> Room:
    """Return what may be claimed by a worker of so many senders that has these out, by registration."""
    free = count - out.total()
    spare = min(free, count // _URGENT)
    step = max(1, count // _STEP)
    shares = {registration: _share(free - spare, used) for registration, used in out.items() if used}
    full = frozenset(registration for registration, share in shares.items() if share < step)
    # As little as any of them may get: so nobody's claims have to be given back.
    limit = min([_share(free - spare, 0), *(share for name, share in shares.items() if name not in full)])
    return Room(limit=limit, spare=spare, full=full, wide=limit >= step or not shares)


def _share(free: int, used: int) -> int:
    """How many more bring `used` to its share of what is free then, to the nearest: so one sender can serve too."""
    return max(round((_SHARE * free - used) / (_SHARE + 1)), 0)


class Senders:
    """Sends each attempt in a thread of its own, and counts it as out until it is settled.

    Shape:  deliver gets an answer for each attempt: the provider's, or that it was never sent.
    """

    def __init__(self, count: int, deliver: Callable[[Answer], None]) -> None:
        self._count, self._deliver = count, deliver
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="renewal-sender")
        self._out: Counter[UUID] = Counter()
        self._closed = False
        self._woken = False
        self.changed = threading.Condition()

    def room(self) -> Room:
        """Return what may be claimed now."""
        with self.changed:
            return room(self._count, self._out)

    def out(self) -> int:
        """Return how many are out, or wait to be settled."""
        with self.changed:
            return self._out.total()

    def hand(self, attempts: Iterable[Attempt]) -> None:
        """Send these; after `close` none of them leaves any more."""
        for attempt in attempts:
            with self.changed:
                self._out[attempt.claim.registration_id] += 1
            self._pool.submit(self._one, attempt)

    def _one(self, attempt: Attempt) -> None:
        try:
            answer = renewal_steps.not_sent(attempt) if self._closed else renewal_steps.send(attempt)
        except Exception as error:
            answer = Answer(attempt=attempt, error=error)
        self._deliver(answer)

    def settled(self, attempts: Iterable[Attempt]) -> None:
        """Count these as out no longer."""
        with self.changed:
            self._out -= Counter(attempt.claim.registration_id for attempt in attempts)
            self.changed.notify_all()

    def wake(self) -> None:
        """End whatever wait there is."""
        with self.changed:
            self._woken = True
            self.changed.notify_all()

    def wait(self, ready: Callable[[Room], bool], seconds: float) -> None:
        """Return when there is room enough, somebody calls `wake`, or the time is over."""
        with self.changed:
            self.changed.wait_for(lambda: self._woken or ready(room(self._count, self._out)), seconds)
            self._woken = False

    def close(self) -> None:
        """Send nothing more. What is out goes on. Takes no lock: safe in a signal handler."""
        self._closed = True

    def finish(self) -> None:
        """Return when every answer has been delivered."""
        self.close()
        self._pool.shutdown(wait=True)
