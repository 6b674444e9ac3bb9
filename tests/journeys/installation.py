"""One database that real commands have set up, and brokers of their own on copies of it."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.broker import PROJECT, REDIRECT_KEY, Broker, copied_database, flush, redis_url
from tests.fakes.sandbox import CLIENT_ID, CLIENT_SECRET, SandboxProcess
from tests.people import EVERYTHING, PROVIDER, RETURN_URL

# The name of each API key, the tenant it serves and what it may do.
KEYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "aalto": ("aalto", EVERYTHING),
    "birch": ("birch", EVERYTHING),
    "powerless": ("aalto", ()),
    "revoked": ("aalto", EVERYTHING),
    "expired": ("aalto", EVERYTHING),
}
# Above those that pytest-django's own tests use, one a pytest worker.
FIRST_REDIS_DATABASE = 8
_numbers = itertools.count()


class Installation:
    """Tenants Aalto and Birch, the API keys of their services, one registration at the sandbox."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._name = f"journeys_{os.getpid()}"
        self._server = os.environ["DATABASE_URL"]
        number = int(worker.removeprefix("gw")) if worker.startswith("gw") else 0
        self._redis = redis_url(os.environ["REDIS_URL"], FIRST_REDIS_DATABASE + number % 8)
        self.keys: dict[str, str] = {}

    @contextmanager
    def prepared(self) -> Iterator["Installation"]:
        """Gives the installation once its database is migrated and filled."""
        folder = self._folder / "template"
        with copied_database(self._server, self._name) as url, Broker(folder, url, self._redis) as broker:
            broker.know_sandbox("http://127.0.0.1:9")
            *_, registration = answers = run_commands(broker, self._commands())
            assert registration["provider"] == PROVIDER
            self.keys = {made["name"]: made["api_key"] for made in answers if made and "api_key" in made}
            _spoil_keys(broker, self.keys)
            yield self

    def _commands(self) -> list[list[str]]:
        callers = [
            # A caller without operations cannot be made: it gets one, and loses it.
            ["create_caller", name, "--json", "--tenant", tenant, *_operations(operations or EVERYTHING[:1])]
            for name, (tenant, operations) in KEYS.items()
        ]
        return [
            ["migrate", "--noinput", "--verbosity=0"],
            ["create_tenant", "aalto", "--json", "--name", "Aalto Oy", "--return-url", RETURN_URL],
            ["create_tenant", "birch", "--json", "--name", "Birch AB", "--locale", "sv"],
            *callers,
            _register_sandbox(self._folder),
        ]

    @contextmanager
    def broker(self, folder: Path, *, redis_server: str = "", **settings: object) -> Iterator[Broker]:
        """Gives a broker on a copy of the database, none of its processes started yet."""
        queue = redis_server or self._redis
        flush(queue)
        name = f"{self._name}_{next(_numbers)}"
        with copied_database(self._server, name, template=self._name) as url:
            with Broker(folder, url, queue, **settings) as broker:
                broker.secrets |= {*self.keys.values(), CLIENT_SECRET}
                yield broker

    @contextmanager
    def with_sandbox(
        self, folder: Path, *, sandbox: tuple[str, ...] = (), redis_server: str = "", **settings: object
    ) -> Iterator[tuple[Broker, SandboxProcess]]:
        """Gives such a broker together with a sandbox of its own, each knowing the other."""
        with self.broker(folder, redis_server=redis_server, **settings) as broker:
            with SandboxProcess("--redirect-uri", broker.callback, *sandbox) as process:
                broker.know_sandbox(process.url)
                yield broker, process


def run_commands(broker: Broker, commands: list[list[str]]) -> list[Any]:
    """Return what each of these commands printed as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.journeys.prepare"],
        input=json.dumps(commands),
        env=broker.manage.environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers


def _operations(operations: tuple[str, ...]) -> list[str]:
    return [word for operation in operations for word in ("--operation", operation)]


def _register_sandbox(folder: Path) -> list[str]:
    secret = folder / "client-secret"
    secret.write_text(CLIENT_SECRET)
    words = ["--environment", "local", "--client-id", CLIENT_ID, "--client-secret-file", str(secret)]
    return ["register_client", PROVIDER, "--json", *words, "--redirect-key", REDIRECT_KEY]


def _spoil_keys(broker: Broker, keys: dict[str, str]) -> None:
    """What is done by staff in admin, or by time."""
    broker.rows("UPDATE tenants_caller SET operations = '{}' WHERE name = 'powerless'")
    for name, column in {"revoked": "revoked_at", "expired": "expires_at"}.items():
        key_id = keys[name].split("_")[2]
        broker.rows(f"UPDATE tenants_apikey SET {column} = now() WHERE key_id = %s RETURNING 1", key_id)
