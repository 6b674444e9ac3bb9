"""The hooks do what they say: a clock that is not wrong, or a death that does not come, would prove everything."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.fleet import HOOKS
from tests.chaos.hooks import points
from tests.fakes.broker import PROJECT

CLOCKS = (
    "import datetime as d, time; print(time.time(), d.datetime.now().timestamp(), d.datetime.now(d.UTC).timestamp())"
)
DEATH = "from tenants.querysets import pairs; print(pairs.commit([])); pairs.commit([object()])"


def run(program: str, **hooks: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hooks, "PYTHONPATH": f"{HOOKS}:{PROJECT}"}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("seconds", ["3600", "-3600"])
def test_every_wall_clock_of_the_process_is_wrong_by_as_much(seconds: str) -> None:
    told = run(CLOCKS, CHAOS_CLOCK=seconds)
    assert told.returncode == 0, told.stderr
    assert [float(one) for one in told.stdout.split()] == pytest.approx([time.time() + float(seconds)] * 3, abs=30)


def test_who_passes_an_armed_point_dies_and_is_written_down(tmp_path: Path) -> None:
    armed, kills = tmp_path / "armed", tmp_path / "kills"
    armed.mkdir()
    (armed / "before the commit").touch()
    died = run(DEATH, CHAOS_ARMED=str(armed), CHAOS_KILLS=str(kills), CHAOS_LATENCY="0.05")
    # With nothing to commit it is passed by.
    assert (died.stdout, died.returncode) == ("{}\n", -signal.SIGKILL), died.stderr
    assert kills.read_text().split("\t")[2] == "before the commit\n"
    assert list(armed.iterdir()) == []


def test_the_points_have_names_of_their_own() -> None:
    assert len(set(points.NAMES)) == len(points.NAMES) >= 12
