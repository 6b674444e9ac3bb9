"""What every measurement of `make bench` shares: the servers, what is asked of them, and how a round is made."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import load, table
from bench.load import Asking, Figures
from bench.stack import Stack, Web

CLIENTS = 16
# Reads are counted in memory and written every five seconds; what that costs belongs to the round that read.
FLUSH_SECONDS = 5.5


@dataclass
class Scene:
    """Shape: web has few connections, many has many, floor is the bare callable; folder has ids and keys in files."""

    folder: Path
    stack: Stack
    web: Web
    many: Web
    floor: Web
    rounds: int
    seconds: float
    sizes: list[tuple[float, float]] = field(default_factory=list)
    figures: dict[str, list[Figures]] = field(default_factory=lambda: defaultdict(list))

    def asking(self, ids: str = "few", **more: object) -> Asking:
        """What wrk asks for, about the ids in this file."""
        return Asking(self.folder / ids, self.folder / "key", **more)  # type: ignore[arg-type]

    def key(self) -> str:
        return (self.folder / "key").read_text().strip()

    def one(self, what: str, web: Web, asking: Asking, *, share: float = 1.0, settle: float = 0.0) -> Figures:
        """One round, or a share of one: load, print and remember what it found."""
        script = asking.write(self.folder / "round.lua")
        before = web.spent()
        running = load.start(web.url, connections=CLIENTS, seconds=self.seconds * share, script=script)
        figures = load.read(running, web.spent, before, settle=settle)
        self.note(what, figures)
        return figures

    def note(self, what: str, figures: Figures) -> None:
        """Print and remember a round, and how large the workers are after it."""
        table.show_round(what, figures)
        self.figures[what].append(figures)
        self.sizes.append((time.monotonic(), self.web.worker_mb()))

    def rates(self, what: str) -> list[float]:
        return [one.rps for one in self.figures[what]]

    def middle(self, what: str) -> Figures:
        return load.median(self.figures[what])

    def saturated(self) -> float:
        """Fresh tokens a second at full load, from the rounds that were made, or from some made now."""
        if not self.figures["token"]:
            for _ in range(self.rounds):
                self.one("token", self.web, self.asking())
        return self.middle("token").rps

    def warm(self, webs: Sequence[Web]) -> None:
        """Load each server for a moment: connections, statements and caches are there afterwards."""
        for web in webs:
            script = self.asking().write(self.folder / "round.lua")
            running = load.start(web.url, connections=64, seconds=2, script=script)
            load.read(running, web.spent, web.spent())
