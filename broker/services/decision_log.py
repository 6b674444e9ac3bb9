"""Refusals, one log line each, and no more of them than a log can bear: what is left out is counted."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class DecisionLog:
    """Writes at most so many lines a second; the next one says how many were left out. Thread-safe; one a process."""

    def __init__(
        self,
        per_second: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        event: str = "refused",
        level: int = logging.INFO,
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._event, self._level = event, level
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._second = 0
        self._written = 0
        self._left_out = 0

    def note(self, code: str = "", /, **about: object) -> None:
        """Tell of one refusal. Shape: about has fields of `broker.logs` and holds no secret; empty ones are dropped."""
        left_out = self._admitted()
        if left_out is None:
            return
        if left_out:
            logger.log(self._level, f"{self._event}: not told one by one", extra={"count": left_out})
        told = {name: value for name, value in {"code": code, **about}.items() if value}
        logger.log(self._level, self._event, extra=told)

    def _admitted(self) -> int | None:
        """None when this second has had its lines; otherwise how many were left out before."""
        with self._lock:
            second = int(self._clock())
            if second != self._second:
                self._second, self._written = second, 0
            if self._written >= self._per_second:
                self._left_out += 1
                return None
            self._written += 1
            left_out, self._left_out = self._left_out, 0
            return left_out


# Apart, so that a flood of made-up keys hides nothing of what known callers were refused.
of_callers = DecisionLog(per_second=20)
of_strangers = DecisionLog(per_second=5)
# While it is away, every request meets it.
of_the_database = DecisionLog(per_second=5, event="the database does not answer", level=logging.WARNING)
