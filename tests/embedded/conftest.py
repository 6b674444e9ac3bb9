"""A supervisor for one test, and how to wait without guessing."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.guardian import Guardian
from embedded.processes import Processes


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Children of this test, gone after it."""
    guardian = Guardian()
    started = Processes(tmp_path, guardian)
    yield started
    started.stop()
    guardian.close()


def eventually(holds: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Return as soon as it holds; fail when the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def processes_of(folder: Path) -> dict[int, str]:
    """Return the command lines of running programs that name the folder, in their words or their environment."""
    running = {int(path.name): _line_if_naming(path, str(folder)) for path in Path("/proc").glob("[0-9]*")}
    return {pid: line for pid, line in running.items() if line}


def _line_if_naming(process: Path, word: str) -> str:
    try:
        line, environment = ((process / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))
    except OSError:
        return ""
    return line.replace("\0", " ") if word in line + environment else ""


def fresh_environment() -> dict[str, str]:
    """Return the environment of a shell: without what the test run has set for itself."""
    ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "KEYRING", "PUBLIC_URL", "ALLOWED_HOSTS", "DEMO")
    ours += ("BROKER_ENVIRONMENT", "DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER")
    return {name: value for name, value in os.environ.items() if name not in ours}
