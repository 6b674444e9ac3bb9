"""`make run` and `make demo` as a newcomer lives them, on processes of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.embedded.conftest import eventually, fresh_environment, processes_of

START_SECONDS = 120.0
KEYS = [
    "ok",
    "seconds_to_first_token",
    "renewed_unasked",
    "reauthorization_detected_seconds",
    "same_connection_id",
    "revoked_at_provider",
    "systems",
]


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "embedded", "--home", str(home), *words]


class Running:
    """`make run` in the background, and what it printed so far."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.printed = home.parent / "printed"
        with self.printed.open("w") as output:
            self.process = subprocess.Popen(
                command(home, "run"), stdout=output, stderr=subprocess.STDOUT, env=fresh_environment()
            )
        eventually(lambda: self.process.poll() is not None or "Ctrl-C" in self.text, "the welcome", START_SECONDS)
        assert self.process.poll() is None, self.text

    @property
    def text(self) -> str:
        return self.printed.read_text()

    def token_request(self) -> httpx2.Response:
        """Do what the printed curl line does."""
        words = self.text.partition("curl -s -H '")[2]
        name, _, value = words.partition("'")[0].partition(": ")
        address = words.partition("\\\n")[2].split()[0]
        return httpx2.get(address, headers={name: value}, trust_env=False)

    def nothing_left(self) -> None:
        eventually(lambda: not processes_of(self.home), "every process is gone")


def test_from_the_first_start_to_the_last_process(tmp_path: Path) -> None:
    home = tmp_path / "var"
    first = Running(home)
    try:
        assert first.token_request().json()["code"] == "connection_not_found"
        refused = subprocess.run(command(home, "run"), capture_output=True, text=True, env=fresh_environment())
        assert (refused.returncode, "Already running here" in refused.stderr) == (1, True)
        told = subprocess.run(command(home, "demo"), capture_output=True, text=True, env=fresh_environment())
        assert told.returncode == 0, told.stdout + told.stderr
        result = json.loads(told.stdout.splitlines()[-1])
        assert list(result) == KEYS
        assert all(result.values())
        assert len(result["systems"]) == 16
        assert all(result["systems"].values())
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(timeout=30) == 0, first.text
        assert first.text.endswith("Stopped.\n")
    finally:
        first.process.kill()
        first.process.wait()
    first.nothing_left()
    second = Running(home)
    # The same key still opens: the database was kept.
    assert first_key(second) == json.loads((home / "first-tenant.json").read_text())["caller"]["api_key"]
    assert second.token_request().status_code == 404
    second.process.kill()
    second.process.wait()
    second.nothing_left()


def first_key(running: Running) -> str:
    return running.text.partition("Bearer ")[2].partition("'")[0]


def test_a_program_that_ends_ends_the_rest_and_is_named(tmp_path: Path) -> None:
    home = tmp_path / "var"
    running = Running(home)
    # The worker's first process; beat below it has the same command line and a later number.
    os.kill(min(pid for pid, line in processes_of(home).items() if " celery " in line), signal.SIGKILL)
    assert running.process.wait(timeout=30) == 1
    assert "worker ended with SIGKILL" in running.text
    running.nothing_left()
