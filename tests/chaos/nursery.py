"""A process with the broker's code loaded that becomes a worker or a beat on demand, in a moment instead of seconds.

`python -m tests.chaos.nursery SOCKET`: one JSON object a line, `{"name", "words", "log"}` in, and out
`{"started": name, "pid"}`, later `{"ended": pid, "status"}`. What is born runs the words as Celery's command line, as a
supervisor's own child would. When the harness is gone, so is everything here.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

import django
from celery.__main__ import main as celery
from django.core.checks import run_checks

from broker.celery import app

LOOK_SECONDS = 0.02


class Nursery:
    """Forks, and tells who has ended."""

    def __init__(self, harness: socket.socket) -> None:
        self._harness = harness
        self._alive: set[int] = set()
        self._rest = b""

    def run(self) -> None:
        while True:
            readable, _, _ = select.select([self._harness], [], [], LOOK_SECONDS)
            self._reap()
            if not readable:
                continue
            received = self._harness.recv(65536)
            if not received:
                break
            *lines, self._rest = (self._rest + received).split(b"\n")
            for line in lines:
                self._bear(json.loads(line))
        self._end()

    def _bear(self, asked: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            self._harness.close()
            _live(asked["words"], asked["log"])
        self._alive.add(pid)
        self._tell(started=asked["name"], pid=pid)

    def _reap(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._alive.discard(pid)
            self._tell(ended=pid, status=os.waitstatus_to_exitcode(status))

    def _tell(self, **what: object) -> None:
        with contextlib.suppress(OSError):
            self._harness.sendall(json.dumps(what).encode() + b"\n")

    def _end(self) -> None:
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)
        for pid in self._alive:
            os.waitpid(pid, 0)


def _live(words: list[str], log: str) -> NoReturn:
    """Be what a process newly started with this command line is, up to its end: nothing of the nursery goes on."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = words
    sys.exit(celery())


def _warm_up() -> None:
    """Load what a worker loads on its way: Django's checks import every page. Nothing is connected yet."""
    django.setup()
    app.loader.import_default_modules()
    app.finalize()
    run_checks()


def main(path: str) -> None:
    _warm_up()
    with socket.socket(socket.AF_UNIX) as harness:
        harness.connect(path)
        Nursery(harness).run()


if __name__ == "__main__":
    main(sys.argv[1])
