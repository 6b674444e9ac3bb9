"""The real broker as processes, for tests that look at it from outside: HTTP, commands, logs.

    with installation.broker(folder, RENEWAL_SWEEP_SECONDS=0.5) as broker:  # a fixture of tests/journeys/conftest.py
        broker.start_web()
        workers = Workers(broker); workers.worker("one", beat=True)

Every broker has a database of its own, copied from one that real commands have set up, so that brokers never meet.
"""

import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit, urlunsplit

import httpx2
import psycopg
import redis
from psycopg import sql

from embedded.guardian import Guardian
from embedded.manage import Manage
from embedded.ports import HOST, is_free
from embedded.processes import Child, Processes
from tests import local_catalogue
from tests.fakes.sandbox import NO_CERTIFICATES

PROJECT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 15.0
REDIRECT_KEY = "visma-eaccounting"
APPLICATION = "broker.wsgi:application"
# Below the range that the kernel takes outgoing ports from: what is free now is still free when the server starts.
PORTS = range(20_000, 32_000)
Server = Literal["granian", "gunicorn"]


class Broker:
    """One installation: web processes here, workers by `Workers`. Nothing of it survives `close`."""

    OPEN: ClassVar[list["Broker"]] = []

    def __init__(self, folder: Path, database_url: str, redis_url: str, **settings: object) -> None:
        self.folder = folder
        self.database_url = database_url
        self.redis_url = redis_url
        self.url = f"http://{HOST}:{free_port()}"
        self.catalogue = folder / "catalogue"
        self.catalogue.mkdir(parents=True, exist_ok=True)
        self.escrow = folder / "escrow"
        self.manage = Manage({**self._variables(), **{name: str(value) for name, value in settings.items()}})
        self._guardian = Guardian()
        self.processes = Processes(folder, self._guardian)
        self._logs: set[Path] = set()
        # What must never be seen in a log; tests add what they come to know.
        self.secrets: set[str] = set()

    def _variables(self) -> dict[str, str]:
        return {
            "PUBLIC_URL": self.url,
            "ALLOWED_HOSTS": HOST,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "CATALOGUE_DIRECTORY": str(self.catalogue),
            "DATABASE_POOL_SIZE": "8",
            "ESCROW_DIRECTORY": str(self.escrow),
        }

    def __enter__(self) -> Self:
        self.OPEN.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.OPEN.remove(self)
        self.processes.stop(STOP_SECONDS)
        self._guardian.close()

    @property
    def callback(self) -> str:
        """The redirect URI of the registration that every broker has from the start."""
        return f"{self.url}/cb/{REDIRECT_KEY}"

    def know_sandbox(self, sandbox_url: str) -> None:
        """Point the registration's environment at this sandbox. Before any process starts."""
        local_catalogue.write(self.catalogue, sandbox_url)

    def start(self, name: str, command: list[str], *, stop_signal: int = signal.SIGTERM) -> Child:
        """Return one more process of this installation, just started."""
        child = self.processes.start(
            name, command, environment=self.manage.environment, folder=PROJECT, stop_signal=stop_signal
        )
        self._logs.add(child.log)
        return child

    def start_web(self, server: Server = "granian", *, workers: int = 1) -> Child:
        """Return the web server once it is ready to serve."""
        child = self.start(
            "web", granian(self.url, workers=workers) if server == "granian" else _gunicorn(self.url, workers)
        )
        wait_until(self._ready, "the broker to be ready", READY_SECONDS, children=[child])
        return child

    def _ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=10, trust_env=False, verify=NO_CERTIFICATES).is_success
        except httpx2.HTTPError:
            return False

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return what one SQL statement answers: for what no route and no command does or tells."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def logs(self) -> dict[str, str]:
        """Return everything its processes wrote, by name."""
        return {log.stem: log.read_text(errors="replace") for log in sorted(self._logs)}

    def leaks(self) -> list[str]:
        """Return the names of logs that hold a secret this test knows."""
        secrets = {secret for secret in self.secrets if len(secret) >= 8}
        return [name for name, text in self.logs().items() if any(secret in text for secret in secrets)]


def granian(url: str, *, workers: int) -> list[str]:
    """Return the command of a web server at an address."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", _port(url)]
    return [
        *command,
        "--workers",
        str(workers),
        "--blocking-threads",
        "4",
        "--no-ws",
        "--log-level",
        "info",
        APPLICATION,
    ]


def _gunicorn(url: str, workers: int) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", str(workers)]
    return [*command, "--threads", "4", "--bind", f"{HOST}:{_port(url)}", APPLICATION]


def _port(url: str) -> str:
    return str(urlsplit(url).port)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if is_free(port))


def wait_until(
    true: Callable[[], object], expected: str, seconds: float, *, children: list[Child] | None = None
) -> None:
    """Return as soon as it is true.

    Raises: AssertionError when the time is over, ProcessDied when one of the children ended.
    """
    deadline = time.monotonic() + seconds
    while not true():
        for child in children or ():
            if not child.running:
                raise child.obituary()
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {expected}"
        time.sleep(0.05)


def database_url(server_url: str, name: str) -> str:
    """Return the address of another database on the same server."""
    # By hand: urlunsplit drops the slashes of an address without a host.
    return re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", server_url, count=1)


def redis_url(server_url: str, number: int) -> str:
    """Return the address of another numbered database on the same Redis or Valkey."""
    if server_url.startswith("unix:"):
        return f"{server_url.partition('?')[0]}?db={number}"
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{number}"))


def flush(url: str) -> None:
    """Empty one numbered database."""
    with redis.Redis.from_url(url) as client:
        client.flushdb()


@contextmanager
def copied_database(server_url: str, name: str, *, template: str = "template1") -> Iterator[str]:
    """Gives the address of a new database, and drops it in the end."""
    maintenance = database_url(server_url, "postgres")
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(create)
    try:
        yield database_url(server_url, name)
    finally:
        with psycopg.connect(maintenance, autocommit=True) as connection:
            connection.execute(drop)
