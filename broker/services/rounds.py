"""Work that one thread of this process does every few seconds, and once more when the process ends in order."""

import logging
import multiprocessing.util
import os
import threading
import weakref
from collections.abc import Callable

from django.db import connection

logger = logging.getLogger(__name__)
# The last round waits so long for one that is under way: a little more than its longest statement.
_JOIN_SECONDS = 10.0
_begun: "weakref.WeakSet[Rounds]" = weakref.WeakSet()


def end_all() -> None:
    """End all rounds of this process as its end would: the process goes on without what they use."""
    for one in list(_begun):
        one.end()


class Rounds:
    """One piece of work, again and again from `begin` on. Thread-safe; a forked child has to begin anew.

    Shape:  at_the_end: once more when the process ends, for work that would be lost.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], None], *, at_the_end: bool = True) -> None:
        self._at_the_end = at_the_end
        self._name = name
        self._seconds = seconds
        self._work = work
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.begun = False
        self._ending = False
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the thread. Cheap when it runs already; `begun` tells without a call."""
        with self._lock:
            if self.begun:
                return
            self.begun = True
            _begun.add(self)
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        # Not atexit: a server's worker that multiprocessing has forked ends without it.
        multiprocessing.util.Finalize(None, self.end, exitpriority=1)

    def hurry(self) -> None:
        """Have the next round begin at once."""
        self._wake.set()

    def rest(self, seconds: float) -> None:
        """Wait within a round, unless there is a hurry: the next round is asked for, or the process ends."""
        self._wake.wait(seconds)

    def end(self) -> None:
        """Let the round that is under way finish, and do the last one here if there is one. Once; then nothing."""
        with self._lock:
            if self._ending:
                return
            self._ending = True
        self._wake.set()
        thread = self._thread
        if thread is not None:
            # Its commit would be lost with the process, and what it took is nowhere else.
            thread.join(_JOIN_SECONDS)
        if self._at_the_end:
            self._work()

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(self._seconds)
            self._wake.clear()
            if not self._ending:
                self._round()

    def _round(self) -> None:
        try:
            self._work()
        except Exception:
            # A fault in one round must not end all later ones.
            logger.exception("a round of background work failed", extra={"reason": self._name})
        finally:
            connection.close()
