"""Ends processes as the kernel would, at a named point of a renewal or at any moment, and writes each death down."""

import contextlib
import itertools
import os
import random
import signal
import time
from collections.abc import Iterator

from tests.chaos.fleet import READY_SECONDS, Fleet, NotReady
from tests.chaos.history import kills
from tests.chaos.hooks import points
from tests.chaos.site import Site

# A point that nobody comes by in this time is left for another round.
ARMED_SECONDS = 3.0


class Killer:
    """Every second death is at a named point, in turn; the others are at random moments of random workers."""

    def __init__(self, site: Site, fleet: Fleet, *, seed: int = 1) -> None:
        self._site, self._fleet = site, fleet
        self._random = random.Random(seed)
        self._points = self._in_turn()
        self.by_point: dict[str, int] = dict.fromkeys(points.NAMES, 0)
        self.at_random = 0

    @property
    def deaths(self) -> int:
        return self.at_random + sum(self.by_point.values())

    def kill(self, deaths: int, *, pause: tuple[float, float]) -> None:
        """Return after so many deaths, with a pause between two of them so that work is being done.

        Never the last worker that is up: a loss that nobody was left to prevent proves nothing.
        """
        for number in range(deaths):
            self._wait_for_two()
            if number % 2 or not self._at_point(next(self._points)):
                self._at_any_moment()
            time.sleep(self._random.uniform(*pause))

    def _wait_for_two(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while len(self._fleet.ready_workers()) < 2:
            if time.monotonic() > deadline:
                raise NotReady("the workers that were killed do not come back")
            time.sleep(0.02)

    def _in_turn(self) -> Iterator[str]:
        return itertools.cycle(self._random.sample(points.NAMES, len(points.NAMES)))

    def _at_point(self, point: str) -> bool:
        """Whether a process came by and died there; the harness only lays out the mark."""
        mark, deadline = self._site.armed / point, time.monotonic() + ARMED_SECONDS
        before = len(kills(self._site))
        mark.touch()
        while time.monotonic() < deadline:
            if len(died := kills(self._site)) > before:
                self.by_point[point] += 1
                self._fleet.wait_noticed(died[-1].pid)
                return True
            time.sleep(0.01)
        # Whoever has taken the mark in this very moment dies all the same, and is in the record.
        with contextlib.suppress(FileNotFoundError):
            mark.unlink()
        return False

    def _at_any_moment(self) -> None:
        pid = self._random.choice(self._fleet.ready_workers())
        with self._site.kills.open("a") as record:
            record.write(f"{time.time()}\t{pid}\tany moment\n")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.at_random += 1
        self._fleet.wait_noticed(pid)
