"""Celery workers and beats of one broker: real processes that can be stopped, and killed."""

import contextlib
import os
import signal
import sys
from functools import partial
from pathlib import Path

from embedded.processes import Child
from tests.fakes.broker import READY_SECONDS, Broker, wait_until

CELERY = [sys.executable, "-m", "celery", "-A", "broker.celery:app"]
QUIET = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
STOP_SECONDS = 30.0


class Workers:
    """Starts several at once: each call returns at once, `wait_ready` waits for all."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._starting: list[Child] = []

    def worker(self, name: str, *, beat: bool = False, threads: int = 4) -> Child:
        """Return a worker that is starting; with `beat`, one that is its own beat as well."""
        command = [*CELERY, "worker", "--pool", "threads", "--concurrency", str(threads), "--hostname", f"{name}@%h"]
        command += ["--beat", "--schedule", str(self._schedule(name))] if beat else []
        return self._start(name, [*command, *QUIET])

    def beat(self, name: str) -> Child:
        """Return a beat of its own, starting."""
        command = [*CELERY, "beat", "--schedule", str(self._schedule(name)), "--pidfile=", "--loglevel", "INFO"]
        return self._start(name, command)

    def wait_ready(self) -> None:
        """Return once all that were started take tasks, or send them."""
        for child in self._starting:
            wait_until(partial(_is_ready, child), f"{child.name} to be ready", READY_SECONDS, children=[child])
        self._starting.clear()

    def kill(self, child: Child) -> None:
        """End it as a crash or the kernel would: no handler runs, nothing is finished."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait(STOP_SECONDS)
        self._broker.processes.forget(child)

    def terminate(self, *children: Child) -> list[int]:
        """Ask them to end as a deployment does, wait, and return their exit statuses."""
        for child in children:
            child.process.send_signal(signal.SIGTERM)
        statuses = [child.process.wait(STOP_SECONDS) for child in children]
        for child in children:
            self._broker.processes.forget(child)
        return statuses

    def _start(self, name: str, command: list[str]) -> Child:
        child = self._broker.start(name, command)
        self._starting.append(child)
        return child

    def _schedule(self, name: str) -> Path:
        return self._broker.folder / f"{name}-schedule"


def _is_ready(child: Child) -> bool:
    # A worker says it after it has subscribed to its queue, beat just before it sends.
    return (" ready." if "worker" in child.process.args else "settings and keys are good") in child.output()
