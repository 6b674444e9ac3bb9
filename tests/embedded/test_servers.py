"""Servers are started only where no address of a running one is given."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedded import servers
from embedded.errors import ServerMissing
from embedded.postgres import find_binaries
from embedded.processes import Processes
from tests.embedded.conftest import eventually, fresh_environment, processes_of

GIVEN = {"DATABASE_URL": "postgres://somebody@db.example/broker", "REDIS_URL": "redis://queue.example/0"}
# A suite of one test that shows its addresses and then waits to be killed.
WAITING_TEST = """
import os, pathlib, time
def test_wait():
    pathlib.Path(os.environ["SHOWN"]).write_text(os.environ["DATABASE_URL"])
    time.sleep(600)
"""


def test_given_addresses_start_nothing(processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    assert servers.start_missing(processes, tmp_path / "none") == GIVEN
    assert not (tmp_path / "none").exists()


def test_one_given_address_starts_the_other(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", GIVEN["DATABASE_URL"])
    monkeypatch.delenv("REDIS_URL")
    urls = servers.start_missing(processes, tmp_path, throwaway=True)
    assert urls["DATABASE_URL"] == GIVEN["DATABASE_URL"]
    assert urls["REDIS_URL"].startswith("unix://")
    assert not (tmp_path / "postgres").exists()


def test_a_machine_without_postgresql_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.postgres._folders", lambda: [])
    with pytest.raises(ServerMissing, match="set DATABASE_URL"):
        find_binaries()


def test_a_killed_test_run_leaves_no_server_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "test_waiting.py").write_text(WAITING_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {**fresh_environment(), "SHOWN": str(tmp_path / "shown"), "PYTHONPATH": str(Path.cwd())}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "embedded.pytest_plugin",
        "-p",
        "no:django",
        "-q",
        str(tmp_path),
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, cwd=tmp_path) as run:
        eventually((tmp_path / "shown").exists, "the test runs", 60)
        run.kill()
    folder = Path((tmp_path / "shown").read_text().partition("host=")[2].partition("&")[0]).parent
    assert folder.name.startswith("broker-tests-")
    eventually(lambda: not folder.exists(), "the folder is gone")
    assert processes_of(folder) == {}
