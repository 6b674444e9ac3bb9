"""The long form: run after run against one broker, and what came of them all."""

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz.ground import Ground, prepared
from tests.fuzz.progress import Progress
from tests.fuzz.run import run
from tests.fuzz.table import findings, table
from tests.fuzz.timing import compared
from tests.journeys.installation import Installation


def fuzz(folder: Path, seeds: Sequence[int], examples: int, only: str) -> int:
    """Return the exit status. Effects: prints a table for each seed, and what was found."""
    wrong = 0
    with _ground(folder) as ground:
        for seed in seeds:
            started = time.monotonic()
            progress = Progress(_tell)
            report = run(ground, seed=seed, examples=examples, foreign=examples, only=only, progress=progress)
            found = [*findings(report), *ground.unharmed()]
            took = f"seed {seed}, {examples} examples, {time.monotonic() - started:.0f} s"
            _tell(f"{took}\n{table(report)}" + "".join(f"\n\n{one}" for one in found))
            wrong += len(found)
    return int(wrong > 0)


def timing(folder: Path) -> int:
    """Return the exit status. Effects: prints how long refusals take."""
    with _ground(folder) as ground:
        _tell(compared(ground))
    return 0


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def _ground(folder: Path) -> Iterator[Ground]:
    # It warns of every odd header of an answer, and forward auth is asked for odd ones.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
    with Installation(folder, "").prepared() as installation, prepared(installation, folder / "ground") as ground:
        yield ground
