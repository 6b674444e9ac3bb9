"""PostgreSQL and Valkey of one run: they can be stopped, killed and started again on the same data."""

import signal
import subprocess
from pathlib import Path

from embedded.postgres import Postgres
from embedded.processes import Child, Processes
from embedded.sockets import socket_folder
from embedded.valkey import Valkey

# What is committed survives a killed server, though not a power cut; commits tell their time; many processes connect.
SETTINGS = {
    "track_commit_timestamp": "on",
    "fsync": "off",
    "synchronous_commit": "on",
    "max_connections": "250",
    "log_min_messages": "fatal",
}
STOP_SECONDS = 30.0


class ChaosPostgres(Postgres):
    """The embedded server with the settings of this harness."""

    def _command(self) -> list[str]:
        return [*super()._command(), *(word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}"))]


class Servers:
    """Both servers, on sockets in one folder, so that their addresses stay when they come back."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes = processes
        self._postgres = ChaosPostgres(folder / "postgres", socket_folder(folder / "s"))
        self._valkey = Valkey(folder / "valkey", socket_folder(folder / "s"), throwaway=True)
        self._children: dict[str, Child] = {}

    @property
    def database_url(self) -> str:
        return self._postgres.url

    @property
    def redis_url(self) -> str:
        return self._valkey.url

    def start(self) -> None:
        self.start_postgres()
        self.start_valkey()

    def start_postgres(self) -> None:
        self._children["postgres"] = self._postgres.start(self._processes)

    def start_valkey(self) -> None:
        self._children["valkey"] = self._valkey.start(self._processes)

    def restart_postgres(self, *, crash: bool) -> None:
        """Stop it and bring it back. `crash`: nobody is told and nothing is flushed, as when it is killed."""
        self._stop("postgres", signal.SIGQUIT if crash else signal.SIGINT)
        self.start_postgres()

    def stop_valkey(self) -> None:
        self._stop("valkey", signal.SIGTERM)

    def _stop(self, name: str, how: signal.Signals) -> None:
        child = self._children.pop(name)
        child.process.send_signal(how)
        try:
            child.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        self._processes.forget(child)
