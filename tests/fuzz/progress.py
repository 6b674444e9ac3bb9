"""What a long run is at, a line for each operation of each phase, because an hour without a word looks like a hang."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from schemathesis.engine import events

# Those that follow links from answer to answer have no operation, and are many and short.
STORIES_A_LINE = 100


@dataclass
class Progress:
    """Tells lines by `tell`, seconds since it was made in front."""

    tell: Callable[[str], object]
    began: float = field(default_factory=time.monotonic)
    stories: int = 0
    requests: int = 0

    def heard(self, event: events.ScenarioFinished) -> None:
        """Effects: tells of an operation, or of a hundred stories."""
        asked = len(event.recorder.interactions)
        if event.label and event.label in {case.value.operation.label for case in event.recorder.cases.values()}:
            self._say(f"{event.phase.value}  {event.label}  {asked} requests, {event.elapsed_time:.0f} s")
            return
        self.stories += 1
        self.requests += asked
        if self.stories % STORIES_A_LINE == 0:
            self._say(f"{event.phase.value}  {self.stories} stories, {self.requests} requests")

    def _say(self, what: str) -> None:
        self.tell(f"{time.monotonic() - self.began:6.0f} s  {what}")
