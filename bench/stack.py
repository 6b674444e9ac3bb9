"""What is measured on: PostgreSQL with durable settings, the broker as production runs it, a provider; all our own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import django
import httpx2
from django.core.management import call_command
from django.db import connection as database

from bench import load
from embedded import programs, servers, settings_for_tests
from embedded.guardian import Guardian
from embedded.processes import Child, Processes
from embedded.sockets import socket_folder

BROKER, FLOOR = "broker.wsgi:application", "bench.floor_app:application"
_START_SECONDS = 60


class Web:
    """A web server, started as production starts it, and what the kernel says of it."""

    def __init__(self, child: Child, port: int, postgres: Sequence[int]) -> None:
        self.child = child
        self.port = port
        self._postgres = postgres

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spent(self) -> load.Spent:
        """CPU seconds so far, of this server and of PostgreSQL."""
        return load.Spent(
            load.tree_cpu_seconds(self.child.process.pid), sum(map(load.tree_cpu_seconds, self._postgres))
        )

    def worker_mb(self) -> float:
        """Memory of the largest worker. The first process only minds the others."""
        first, *workers = load.descendants(self.child.process.pid)
        return max(load.memory_mb(pid) for pid in workers or [first])

    def wait(self) -> None:
        """Return once it answers. Raises SystemExit with what it said."""
        deadline = time.monotonic() + _START_SECONDS
        while self.child.running and time.monotonic() < deadline:
            try:
                if httpx2.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx2.HTTPError:
                time.sleep(0.1)
        raise SystemExit(f"{self.child.name} did not start: {self.child.output()[-3000:]}")


class Stack:
    """Our own servers, gone afterwards. Effects: the environment of this process is the stack's from then on."""

    def __init__(self, folder: Path) -> None:
        self.guardian = Guardian()
        self.processes = Processes(folder, self.guardian)
        self.guardian.remove(socket_folder(folder / "s"))
        self.folder = folder
        for name in ("DATABASE_URL", "REDIS_URL"):
            os.environ.pop(name, None)

    def start(self) -> None:
        """Start PostgreSQL and Valkey, make Django usable in this process, and migrate."""
        os.environ.update(servers.start_missing(self.processes, self.folder))
        os.environ["PUBLIC_URL"] = "http://127.0.0.1:8000"
        settings_for_tests.set_missing()
        os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        database.close()
        database.close_pool()  # type: ignore[attr-defined]

    def seed(self, *, few: int, many: int) -> None:
        """Make what is asked for, in a process of its own; bench/seeding.py says what, and where it is told."""
        command = [sys.executable, "-m", "bench.seeding", str(self.folder), "--few", str(few), "--many", str(many)]
        subprocess.run(command, check=True)

    def servers(self, program: str) -> list[int]:
        """The processes that run this program and were started by us directly."""
        ours = load.descendants(os.getpid())
        named = [pid for pid in ours if program in Path(f"/proc/{pid}/comm").read_text()]
        return [pid for pid in named if load.parent(pid) not in named]

    def serve(self, name: str, application: str = BROKER, *, database_name: str = "") -> Web:
        """Start a web server with this application, on this database of our PostgreSQL."""
        port = free_port()
        command = [*programs.web(port, "127.0.0.1")[:-1], application]
        given = os.environ | {"PUBLIC_URL": f"http://127.0.0.1:{port}"}
        given["DATABASE_URL"] = database_url(given, database_name)
        return Web(self.processes.start(name, command, environment=given), port, self.servers("postgres"))

    def start_workers(self, count: int, *, profile: Path | None = None) -> list[Child]:
        """Workers as docs/runbook.md starts them, and beat; with a profile, workers that write down where time goes."""
        celery = ["celery"] if profile is None else ["bench.profiled", str(profile)]
        command = [sys.executable, "-m", *celery, "-A", "broker.celery:app", "worker"]
        command += ["--pool", "threads", "--concurrency", "8", "--loglevel", "INFO"]
        beat = [sys.executable, "-m", "celery", "-A", "broker.celery:app", "beat", "--loglevel", "INFO"]
        beat += ["--schedule", str(self.folder / "beat")]
        self.beat = self.processes.start("beat", beat, environment=os.environ)
        return [
            self.processes.start(f"worker-{n}", [*command, "--hostname", f"bench{n}@%h"], environment=os.environ)
            for n in range(count)
        ]

    def end(self, children: Sequence[Child]) -> None:
        """Ask workers to finish what is out, and wait for them and beat."""
        for child in [*children, self.beat]:
            child.process.terminate()
        for child in [*children, self.beat]:
            child.process.wait(60)
            self.processes.forget(child)

    def stop(self) -> None:
        """End everything."""
        self.processes.stop()
        self.guardian.close()


def database_url(environment: Mapping[str, str], name: str) -> str:
    """The address of another database of the same server; of the same one where no name is given."""
    known = urlsplit(environment["DATABASE_URL"])
    return known._replace(path=f"/{name}").geturl() if name else known.geturl()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
