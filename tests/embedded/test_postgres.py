"""The embedded PostgreSQL keeps what it was given, and lets nobody else in."""

import os
import signal
import stat
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from embedded import unprivileged
from embedded.errors import EmbeddedError, ProcessDied
from embedded.postgres import DATABASE, PORT, USER, Binaries, Postgres, installations
from embedded.processes import Processes
from embedded.sockets import socket_folder

every_installation = pytest.mark.parametrize("binaries", installations(), ids=lambda found: f"{found.major}")


@pytest.fixture
def postgres(tmp_path: Path) -> Postgres:
    """A cluster that is not made yet."""
    return Postgres(tmp_path / "data", socket_folder(tmp_path / "s"))


def query(postgres: Postgres, statement: str) -> list[tuple[object, ...]]:
    address = {"host": str(postgres.sockets), "port": PORT, "user": USER, "dbname": DATABASE}
    with psycopg.connect(**address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@every_installation
def test_a_second_start_keeps_the_data(tmp_path: Path, processes: Processes, binaries: Binaries) -> None:
    postgres = Postgres(tmp_path / "data", socket_folder(tmp_path / "s"), binaries=binaries)
    postgres.start(processes)
    query(postgres, "CREATE TABLE kept AS SELECT 'yhdistä'::text AS word")
    processes.stop()
    postgres.start(processes)
    assert query(postgres, "SELECT word, upper(word) FROM kept") == [("yhdistä", "YHDISTÄ")]


def test_starts_again_after_kill_9(postgres: Postgres, processes: Processes) -> None:
    child = postgres.start(processes)
    query(postgres, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    with psycopg.connect(host=str(postgres.sockets), port=PORT, user=USER, dbname=DATABASE) as connection:
        backend = connection.info.backend_pid
        # A backend that is slow to notice holds the dead postmaster's memory: the first try to start has to fail.
        os.kill(backend, signal.SIGSTOP)
        os.kill(child.process.pid, signal.SIGKILL)
        child.process.wait()
        processes.forget(child)
        awake = threading.Timer(1.0, os.kill, (backend, signal.SIGCONT))
        awake.start()
        started = postgres.start(processes)
        awake.join()
    assert "shared memory" in started.log.read_text()
    assert query(postgres, "SELECT count(*) FROM kept") == [(1000,)]


def test_a_server_left_behind_is_stopped_before_the_next_one_starts(postgres: Postgres, processes: Processes) -> None:
    left_behind = postgres.start(processes)
    processes.forget(left_behind)
    query(postgres, "CREATE TABLE kept AS SELECT 1 AS n")
    postgres.start(processes)
    assert left_behind.process.wait(timeout=5) == 0
    assert query(postgres, "SELECT n FROM kept") == [(1,)]


def test_only_this_user_reaches_it_and_only_over_the_socket(postgres: Postgres, processes: Processes) -> None:
    postgres.start(processes)
    assert query(postgres, "SHOW listen_addresses") == [("",)]
    assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(postgres.data.stat().st_mode) == 0o700


def test_the_data_of_a_real_installation_is_durable(postgres: Postgres, processes: Processes) -> None:
    postgres.start(processes)
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert query(postgres, f"SHOW {name}") == [("on",)]


def test_statements_with_their_values_stay_out_of_the_log(postgres: Postgres, processes: Processes) -> None:
    child = postgres.start(processes)
    with pytest.raises(psycopg.errors.DivisionByZero):
        query(postgres, "SELECT 'a-secret-value', 1 / 0")
    assert "division by zero" in child.output()
    assert "a-secret-value" not in child.output()


def test_data_of_another_version_is_refused_with_a_way_out(postgres: Postgres, processes: Processes) -> None:
    postgres.data.mkdir()
    (postgres.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 9, .* Dump the data"):
        postgres.start(processes)


def test_a_first_start_that_was_interrupted_does_not_block_the_next(postgres: Postgres, processes: Processes) -> None:
    postgres.data.mkdir()
    (postgres.data / "half").write_text("of an initdb")
    postgres.start(processes)
    assert query(postgres, "SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_says_why(postgres: Postgres, processes: Processes) -> None:
    postgres.start(processes)
    processes.stop()
    (postgres.data / "postgresql.conf").write_text("no_such_setting = on\n")
    with pytest.raises(ProcessDied, match=r"(?s)postgres ended .*no_such_setting"):
        postgres.start(processes)


def test_the_server_never_sees_root() -> None:
    seen = subprocess.run([*unprivileged.prefix(), "id", "-u"], capture_output=True, text=True, check=True)
    assert int(seen.stdout) != 0
