"""Children are watched, logged, and never outlive their supervisor."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedded.errors import ProcessDied
from embedded.guardian import alive
from embedded.processes import Child, Processes
from tests.embedded.conftest import eventually

PARENT_OF_ONE = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
SUPERVISOR = f"""
import sys, time
from pathlib import Path
from embedded.guardian import Guardian
from embedded.processes import Processes
folder = Path(sys.argv[1])
guardian = Guardian()
guardian.remove(folder / "throwaway")
(folder / "throwaway").mkdir()
child = Processes(folder, guardian).start("parent", [sys.executable, "-c", {PARENT_OF_ONE!r}])
while not child.output():
    time.sleep(0.01)
print(child.process.pid, child.output(), flush=True)
time.sleep(600)
"""


def python(processes: Processes, code: str) -> Child:
    return processes.start("program", [sys.executable, "-c", code])


def wait_for_output(child: Child) -> str:
    eventually(lambda: bool(child.output()), "some output")
    return child.output()


def test_children_and_grandchildren_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        child, grandchild = (int(word) for word in supervisor.stdout.readline().split())
        assert alive(child)
        assert alive(grandchild)
        supervisor.kill()
    eventually(lambda: not alive(child) and not alive(grandchild), "both are gone")
    eventually(lambda: not (tmp_path / "throwaway").exists(), "the folder is gone")


def test_stop_takes_the_whole_group(processes: Processes) -> None:
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    grandchild = int(wait_for_output(python(processes, code)))
    processes.stop()
    eventually(lambda: not alive(grandchild), "the grandchild is gone")


def test_stop_asks_first(processes: Processes) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('said goodbye'))\n"
        "print('up', flush=True); time.sleep(600)"
    )
    child = python(processes, code)
    wait_for_output(child)
    processes.stop()
    assert "said goodbye" in child.output()


def test_stop_kills_what_does_not_listen(processes: Processes) -> None:
    child = python(processes, DEAF)
    wait_for_output(child)
    began = time.monotonic()
    processes.stop(grace=0.2)
    assert time.monotonic() - began < 5
    assert child.process.returncode == -signal.SIGKILL


def test_a_dead_child_is_named_with_its_last_words(processes: Processes) -> None:
    child = python(processes, "print('the reason'); raise SystemExit(3)")
    child.process.wait()
    with pytest.raises(ProcessDied, match=r"(?s)program ended with exit code 3.*program\.log.*the reason"):
        processes.raise_if_dead()


def test_a_killed_child_is_named_with_its_signal(processes: Processes) -> None:
    child = processes.start("program", ["sleep", "600"])
    processes.raise_if_dead()
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    with pytest.raises(ProcessDied, match="program ended with SIGKILL"):
        processes.raise_if_dead()


def test_last_words_are_of_this_run_and_the_log_keeps_the_earlier_ones(processes: Processes) -> None:
    for word in ("first", "second"):
        child = python(processes, f"print({word!r})")
        child.process.wait()
    assert child.output() == "second\n"
    assert child.log.read_text() == "first\nsecond\n"
