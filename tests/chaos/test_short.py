"""The short form of `make chaos`: a hundred deaths of workers, with and without a grace time, and the naive renewer."""

import re
import subprocess
import sys

from tests.fakes.broker import PROJECT

ROWS = ("naive", "kills-grace", "kills-no-grace")
DEATHS = 100


def test_a_hundred_deaths_lose_nothing_that_could_be_saved() -> None:
    chosen = [word for name in ROWS for word in ("--only", name)]
    told = subprocess.run([sys.executable, "-m", "tests.chaos", *chosen], cwd=PROJECT, capture_output=True, text=True)
    assert told.returncode == 0, f"{told.stdout}\n{told.stderr[-3000:]}"
    ours = [line for line in told.stdout.splitlines() if line.startswith("killed workers")]
    assert sum(int(number) for line in ours for number in re.findall(r"(\d+) SIGKILL", line)) >= DEATHS, told.stdout
