"""What a worker does beside its renewals, in threads of their own so that none of it holds those up."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from broker.services import escrow, gates, presence, renew, revoke, sweep
from broker.services.renewal_attempt import Answer, Outcome
from tenants.models import Connection, Reason
from tenants.querysets import slots

logger = logging.getLogger(__name__)
_GUARD_SECONDS = 1.0
# An answer that is not durable by then goes to the escrow, whatever the database is doing.
_LATE_SECONDS = 2.0
_CHORES_SECONDS = 5.0
# A provider's grace may be over before the driver looks by itself.
_DOUBTS_SECONDS = 0.5
_MINTED_AT_ONCE = _REVOKED_AT_ONCE = 10


class Loop:
    """One thread that does one thing again and again, and outlives whatever goes wrong with it."""

    def __init__(self, name: str, act: Callable[[], object], seconds: float) -> None:
        self._name, self._act, self._seconds = name, act, seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping.set()

    def finish(self, seconds: float) -> None:
        """Wait for what it is at, for so long at most."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self._act()
            except DatabaseError as error:
                logger.warning("%s waits for the database", self._name, extra={"failure": type(error).__name__})
            except Exception:
                logger.exception("%s failed", self._name)
            finally:
                connection.close()


class Upkeep:
    """A worker's loops: what others left, resends in time, the escrow, chores, and a guard that needs no database.

    Shape:  wake is called when there may be something to claim; save_late and alive are the driver's; dead is called
            once, when renewals have ended for good.
    """

    def __init__(
        self,
        *,
        wake: Callable[[], None],
        save_late: Callable[[float], None],
        alive: Callable[[], bool],
        dead: Callable[[], None],
    ) -> None:
        self._wake, self._save_late, self._alive, self._dead = wake, save_late, alive, dead
        self._replayer = escrow.Replayer()
        self._unverified: deque[Connection] = deque()
        self._chores = Loop("chores", self._do_chores, min(settings.RENEWAL_POLL_SECONDS, _CHORES_SECONDS))
        self._loops = (
            Loop("recovery", self._recover, settings.RENEWAL_REAP_SECONDS),
            Loop("escrow", self._replay, _GUARD_SECONDS),
            Loop("doubts", self._resend_in_time, _DOUBTS_SECONDS),
            Loop("guard", self._look_after_the_driver, _GUARD_SECONDS),
            self._chores,
        )
        self._chores_at = time.monotonic()

    def start(self) -> None:
        """Begin. What lies in the escrow is replayed before this returns, if the database is there."""
        self._replayer.look()
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Begin no more chores; the rest goes on until `finish`, for the renewals that are still out."""
        self._chores.stop()

    def finish(self) -> None:
        """Wait for what is going on. At most one lease."""
        for loop in self._loops:
            loop.stop()
        for loop in self._loops:
            loop.finish(settings.RENEWAL_LEASE_SECONDS)

    def told(self, answers: Sequence[Answer], outcomes: Sequence[Outcome]) -> None:
        """Remember whose provider has to be asked again: not in the thread that makes answers durable."""
        for answer, outcome in zip(answers, outcomes, strict=True):
            if outcome is Outcome.RENEWED and answer.attempt.connection.reason == Reason.ACCOUNT_UNVERIFIED:
                self._unverified.append(answer.attempt.connection)

    def _recover(self) -> None:
        if presence.reap():
            self._wake()
        gates.flush()

    def _resend_in_time(self) -> None:
        """Wake the driver at the moment, not when it next looks: what was unheard is said again only for a while."""
        seconds = slots.next_doubt(_DOUBTS_SECONDS)
        if seconds is not None:
            time.sleep(seconds)
            self._wake()

    def _replay(self) -> None:
        before = escrow.pending()
        if not self._replayer.look() and before:
            # Nothing was claimed meanwhile.
            self._wake()

    def _do_chores(self) -> None:
        while self._unverified:
            renew.follow_up([Outcome.RENEWED], [self._unverified.popleft()])
        if time.monotonic() - self._chores_at < settings.RENEWAL_POLL_SECONDS:
            return
        self._chores_at = time.monotonic()
        sweep.mint_due(limit=_MINTED_AT_ONCE)
        for orphan_id in revoke.due_revocations(limit=_REVOKED_AT_ONCE):
            revoke.revoke_orphan(orphan_id)

    def _look_after_the_driver(self) -> None:
        self._save_late(_LATE_SECONDS)
        if not self._alive():
            self._dead()
