"""The broker's processes of one scenario, and the supervisor that starts again at once whatever dies."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2

from embedded.processes import Child, Processes
from tests.fakes.broker import PROJECT, free_port

CELERY = ["celery", "-A", "broker.celery:app"]
QUIET = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
HOOKS = Path(__file__).parent / "hooks"
READY_SECONDS = 60.0
STOP_SECONDS = 40.0


class NotReady(Exception):
    """A process did not come up."""


@dataclass
class Member:
    """One worker or beat, which may have been several processes by now."""

    name: str
    words: list[str]
    log: Path
    pid: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    status: int | None = None
    wanted: bool = True
    # Where in the log the present process begins.
    log_start: int = 0

    def output(self) -> str:
        """Return what the present process has written."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")


class Fleet:
    """Workers and beats are born in a nursery of loaded code; web processes are started as an operator does."""

    def __init__(self, processes: Processes, folder: Path, environment: Mapping[str, str]) -> None:
        self._processes, self._folder = processes, folder
        path = os.pathsep.join([str(HOOKS), str(PROJECT)])
        self.environment = {**os.environ, **environment, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        self.members: dict[str, Member] = {}
        self.webs: list[str] = []
        self._web_children: list[Child] = []
        self.restarts = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._nursery, self._socket = self._open()
        threading.Thread(target=self._listen, name="fleet", daemon=True).start()

    def _open(self) -> tuple[Child, socket.socket]:
        path = self._folder / "nursery.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            listener.settimeout(READY_SECONDS)
            command = [sys.executable, "-m", "tests.chaos.nursery", str(path)]
            child = self._processes.start("nursery", command, environment=self.environment, folder=PROJECT)
            try:
                return child, listener.accept()[0]
            except TimeoutError:
                raise NotReady(f"the nursery: {child.output()[-2000:]}") from None

    # Workers and beats

    def worker(self, name: str) -> Member:
        return self._bear(name, [*CELERY, "worker", "--pool", "threads", "--concurrency", "2", "-n", f"{name}@%h"])

    def beat(self, name: str) -> Member:
        return self._bear(name, [*CELERY, "beat", "--schedule", str(self._folder / f"{name}.schedule"), "--pidfile="])

    def _bear(self, name: str, words: list[str]) -> Member:
        words = [*words, *(QUIET if "worker" in words else QUIET[-2:])]
        member = self.members.setdefault(name, Member(name, words, self._folder / f"{name}.log"))
        member.wanted, member.pid, member.status = True, 0, None
        member.ended.clear()
        self._ask(member)
        return member

    def _ask(self, member: Member) -> None:
        member.log_start = member.log.stat().st_size if member.log.exists() else 0
        asked = {"name": member.name, "words": member.words, "log": str(member.log)}
        self._socket.sendall(json.dumps(asked).encode() + b"\n")

    def _listen(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                told = json.loads(line)
                with self._changed:
                    self._note(told)
                    self._changed.notify_all()

    def _note(self, told: dict[str, object]) -> None:
        if "started" in told:
            member = self.members[str(told["started"])]
            member.pid = int(str(told["pid"]))
            if not member.wanted:
                os.kill(member.pid, signal.SIGTERM)
            return
        for member in self.members.values():
            if member.pid == told["ended"]:
                member.status, member.pid = int(str(told["status"])), 0
                if member.wanted:
                    self.restarts += 1
                    self._ask(member)
                else:
                    member.ended.set()

    def wait_born(self) -> None:
        """Return once every wanted worker and beat is a running process."""
        with self._changed:
            if not self._changed.wait_for(self._all_born, READY_SECONDS):
                raise NotReady("a worker or beat was not born")

    def wait_noticed(self, pid: int) -> None:
        """Return once the supervisor knows that this worker or beat has died."""
        with self._changed:
            if not self._changed.wait_for(lambda: pid not in {one.pid for one in self.members.values()}, READY_SECONDS):
                raise NotReady(f"process {pid} was killed and lives")

    def _all_born(self) -> bool:
        return all(member.pid for member in self.members.values() if member.wanted)

    def wait_ready(self) -> None:
        """Return once all of them, newborn ones included, have said that they take up work."""
        self.wait_born()
        deadline = time.monotonic() + READY_SECONDS
        for member in self.members.values():
            while not _says_ready(member):
                if time.monotonic() > deadline:
                    raise NotReady(f"{member.name}: {member.output()[-2000:]}")
                time.sleep(0.02)

    def ready_workers(self) -> list[int]:
        """The process ids of workers that take up work."""
        workers = (one for one in self.members.values() if "worker" in one.words)
        return [one.pid for one in workers if one.pid and _says_ready(one)]

    def terminate(self, *names: str) -> list[int | None]:
        """Ask them to end as a deployment does, all at once; return their exit statuses."""
        chosen = [self.members[name] for name in names]
        for member in chosen:
            member.wanted = False
            if member.pid:
                os.kill(member.pid, signal.SIGTERM)
        for member in chosen:
            if not member.ended.wait(STOP_SECONDS):
                raise NotReady(f"{member.name} does not end: {member.output()[-2000:]}")
        return [member.status for member in chosen]

    # Web processes

    def web(self, *, servers: int = 1) -> list[str]:
        """Return the addresses of so many web servers, each ready to serve, each with one process that does."""
        ports = [free_port() for _ in range(servers)]
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--workers", "1"]
        command += ["--blocking-threads", "8", "--respawn-failed-workers", "--respawn-interval", "0.1", "--no-ws"]
        # Granian gives up when a worker dies twice in a moment: a web process is not asked to die at a point.
        environment = {name: value for name, value in self.environment.items() if name != "CHAOS_ARMED"}
        for port in ports:
            words = [*command, "--log-level", "warning", "--port", str(port), "broker.wsgi:application"]
            name = f"web{port}"
            child = self._processes.start(name, words, environment=environment, folder=PROJECT)
            self._web_children.append(child)
            self.webs.append(f"http://127.0.0.1:{port}")
        for url, child in zip(self.webs, self._web_children, strict=True):
            _wait(partial(_serves, url), child)
        return self.webs

    def stop(self) -> None:
        """End all of them: asked first, so that nothing is on its way when the evidence is read. Once is enough."""
        if self._stopped:
            return
        self._stopped = True
        names = [one.name for one in self.members.values() if one.wanted]
        try:
            self.terminate(*names)
            self._stop(*self._web_children)
        finally:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._stop(self._nursery)

    def _stop(self, *children: Child) -> None:
        for child in children:
            child.process.terminate()
        for child in children:
            child.process.wait(STOP_SECONDS)
            self._processes.forget(child)


def _says_ready(member: Member) -> bool:
    said = " ready." if "worker" in member.words else "settings and keys are good"
    return said in member.output()


def _serves(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=10, trust_env=False).is_success
    except httpx2.HTTPError:
        return False


def _wait(true: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not true():
        if not child.running or time.monotonic() > deadline:
            raise NotReady(f"{child.name}: {child.output()[-2000:]}")
        time.sleep(0.05)
