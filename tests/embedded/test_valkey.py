"""The embedded Valkey keeps what was queued."""

import os
import signal
import stat
from pathlib import Path

import pytest
import redis

from embedded.processes import Processes
from embedded.sockets import socket_folder
from embedded.valkey import Valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Valkey:
    """A server that has no data yet."""
    return Valkey(tmp_path / "data", socket_folder(tmp_path / "s"))


def push(valkey: Valkey, count: int) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        for number in range(count):
            client.rpush("queue", number)


def length(valkey: Valkey) -> int:
    with redis.Redis.from_url(valkey.url) as client:
        return int(client.llen("queue"))


def test_a_second_start_keeps_the_data(valkey: Valkey, processes: Processes) -> None:
    valkey.start(processes)
    push(valkey, 3)
    processes.stop()
    valkey.start(processes)
    assert length(valkey) == 3


def test_queued_messages_survive_kill_9(valkey: Valkey, processes: Processes) -> None:
    child = valkey.start(processes)
    push(valkey, 50)
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    processes.forget(child)
    valkey.start(processes)
    assert length(valkey) == 50


def test_a_server_left_behind_is_stopped_before_the_next_one_starts(valkey: Valkey, processes: Processes) -> None:
    left_behind = valkey.start(processes)
    push(valkey, 2)
    processes.forget(left_behind)
    valkey.start(processes)
    assert left_behind.process.wait(timeout=5) == 0
    assert length(valkey) == 2


def test_only_this_user_reaches_it_and_only_over_the_socket(valkey: Valkey, processes: Processes) -> None:
    valkey.start(processes)
    with redis.Redis.from_url(valkey.url) as client:
        assert client.config_get("port") == {"port": "0"}
    assert stat.S_IMODE(valkey.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(valkey.socket.stat().st_mode) == 0o700
