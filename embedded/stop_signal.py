"""Ctrl-C and its relatives, taken as a wish that is looked at between two steps."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 0.1


class Stopped(Exception):
    """Somebody asked us to stop."""


class StopSignal:
    """Remembers that a signal came.

    An exception out of the handler could strike between the start of a process and the note of its number,
    and leave that process behind. Where nothing is started, `interrupting` lets it strike.
    """

    def __init__(self) -> None:
        self._asked = False
        self._strikes = False
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if self._strikes:
            raise Stopped

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise Stopped at once when a signal comes, wherever the work inside is."""
        self._strikes = True
        try:
            self.check()
            yield
        finally:
            self._strikes = False

    def check(self) -> None:
        """Do nothing until a signal came.

        Raises: Stopped.
        """
        if self._asked:
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, but not much longer than until a signal comes.

        Raises: Stopped.
        """
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
            self.check()
