"""Claims what is due, no more than can be sent at once, and sees it through: senders, then the committer."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from broker.committer import Committer
from broker.senders import Room, Senders
from broker.services import claiming, escrow, gates, renewal_steps
from broker.services.renewal_attempt import Answer, Outcome
from tenants.querysets import slots
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
# How long urgent renewals wait for an ordinary place before they get one of those that are kept for them.
_URGENT_SECONDS = 1.0
_DRAIN_SECONDS = 0.05
# Each of a turn's few statements ends within seconds, whatever becomes of it.
_HUNG_SECONDS = 60.0
_HELD_SECONDS = 1.0
# Where there is work at all, a look so soon after the last renewals finds a few: all at once would hold others up.
_NEXT_SECONDS = 0.5
Concluded = Callable[[Sequence[Answer], Sequence[Outcome]], None]


class Driver:
    """One process's renewals. Shape: told gets the answers with their outcomes, once they are durable."""

    def __init__(self, told: Concluded = lambda answers, outcomes: None) -> None:
        self._told = told
        self._claimer = claiming.Claimer()
        self._committer = Committer(self._concluded)
        self._senders = Senders(settings.RENEWAL_CONCURRENCY, self._committer.deliver)
        self._stopping = threading.Event()
        self._looked_at = self._turned_at = time.monotonic()
        self._tried = 0
        self._rest_seconds = _NEXT_SECONDS
        self._full: frozenset[UUID] = frozenset()
        self._held: frozenset[UUID] = frozenset()
        self._turned_back: dict[UUID, float] = {}
        self._thread = threading.Thread(target=self._drive, name="renewal-driver", daemon=True)

    def alive(self) -> bool:
        """Tell whether all goes on, or ends as it was told to: no thread has died, and the driver's does not hang."""
        hangs = time.monotonic() - self._turned_at > settings.RENEWAL_POLL_SECONDS + _HUNG_SECONDS
        threads = (self._thread, self._committer.thread)
        return self._stopping.is_set() or (not hangs and all(one.is_alive() for one in threads))

    def start(self) -> None:
        """Renew until `stop`."""
        self._committer.thread.start()
        self._thread.start()

    def wake(self) -> None:
        """Look now for what is due."""
        self._senders.wake()

    def stop(self) -> None:
        """Claim and send nothing more. Returns at once."""
        self._stopping.set()
        self._senders.close()
        # Not from here: this may be a signal handler, and the interrupted thread may hold that lock.
        threading.Thread(target=self._senders.wake, daemon=True).start()

    def finish(self) -> None:
        """Return when what is out has been answered and stored; what was not sent is given back."""
        self._stopping.set()
        self._senders.close()
        self._senders.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._senders.finish()
        self._committer.finish()
        logger.info("renewals are over here", extra={"count": self._tried})

    def drain(self, seconds: float | None = None) -> int:
        """Renew in this thread until nothing is due, or the time is over. Returns how many were tried.

        Raises: DatabaseError when nothing can be claimed.
        """
        ends = None if seconds is None else time.monotonic() + seconds
        self._committer.thread.start()
        try:
            while ends is None or time.monotonic() < ends:
                if self._turn():
                    continue
                if not self._senders.out():
                    break
                self._senders.wait(lambda now: not self._senders.out(), _DRAIN_SECONDS)
        finally:
            self.finish()
        return self._tried

    def save_late(self, seconds: float) -> None:
        """Put answers into the escrow that have waited so long for the database."""
        self._committer.save_late(seconds)

    def seconds_since_claim(self) -> float:
        """Return how long ago this process has asked the database for work, and been answered."""
        return time.monotonic() - self._looked_at

    def _drive(self) -> None:
        while not self._stopping.is_set():
            self._turned_at = time.monotonic()
            try:
                busy = self._turn()
            except DatabaseError as error:
                logger.warning("the database is away", extra={"failure": type(error).__name__})
                busy = False
            except Exception:
                logger.exception("due renewals could not be claimed")
                busy = False
            if busy:
                self._rest_seconds = _NEXT_SECONDS
            elif not self._stopping.is_set():
                self._rest()
        connection.close()

    def _rest(self) -> None:
        """Wait for a hint, for a registration that has room again, or until it is time to look: later each time."""
        connection.close()
        # As they were when nothing was found: whose room has come back since then is looked at again at once.
        full = self._full
        # Nobody tells when a gate falls due for a probe, or a bucket has filled.
        longest = min(_HELD_SECONDS, settings.RENEWAL_POLL_SECONDS) if self._held else settings.RENEWAL_POLL_SECONDS
        self._senders.wait(lambda now: bool(full - now.full), min(longest, self._rest_seconds))
        self._rest_seconds = min(2 * self._rest_seconds, settings.RENEWAL_POLL_SECONDS)

    def _turn(self) -> bool:
        """Claim and hand out once. False when nothing that may be sent was due."""
        if escrow.pending():
            # What is not in the database yet comes first.
            return False
        self._senders.wait(lambda now: now.wide, _URGENT_SECONDS)
        now = self._senders.room()
        if self._stopping.is_set() or not (now.limit or now.spare):
            return not self._stopping.is_set()
        claims = self._claim(now)
        self._looked_at = time.monotonic()
        if claims:
            self._hand_out(claims)
        return bool(claims)

    def _claim(self, now: Room) -> list[Claim]:
        self._full = now.full
        limit = min(now.limit or now.spare, settings.RENEWAL_BATCH)
        now_at = time.monotonic()
        self._turned_back = {one: until for one, until in self._turned_back.items() if until > now_at}
        self._held = gates.held() | self._turned_back.keys()
        return self._claimer.claim(limit, self._held | now.full, urgent_only=not now.limit)

    def _hand_out(self, claims: list[Claim]) -> None:
        try:
            admitted, turned_back = gates.admit(claims)
            if turned_back:
                slots.release_many(turned_back)
                # To claim more of the same at once would be no use, and would keep others waiting.
                until = time.monotonic() + _HELD_SECONDS
                self._turned_back |= {claim.registration_id: until for claim in turned_back}
            attempts, _ = renewal_steps.prepare(admitted)
            marked = renewal_steps.mark(attempts)
        except Exception:
            self._give_up(claims)
            raise
        self._tried += len(admitted)
        self._senders.hand(marked)

    def _give_up(self, claims: list[Claim]) -> None:
        """Nothing of these was sent. Where even this cannot be written, the leases end by themselves."""
        try:
            connection.close()
            slots.give_back_unsent(*claims)
        except DatabaseError:
            logger.warning("claims could not be given back", extra={"count": len(claims)})

    def _concluded(self, answers: Sequence[Answer], outcomes: Sequence[Outcome]) -> None:
        self._senders.settled([answer.attempt for answer in answers])
        self._told(answers, outcomes)
