"""PostgreSQL and Valkey, each only where no address of a running one is given."""

import os
from collections.abc import Callable
from pathlib import Path

from embedded.postgres import Postgres
from embedded.processes import Processes
from embedded.sockets import socket_folder
from embedded.valkey import Valkey


def start_missing(
    processes: Processes,
    folder: Path,
    *,
    throwaway: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, str]:
    """Return DATABASE_URL and REDIS_URL, as given in the environment or of the servers just started.

    Raises: EmbeddedError when a server does not start.
    """
    urls = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
    if not urls["DATABASE_URL"]:
        postgres = Postgres(folder / "postgres", socket_folder(folder / "s"), throwaway=throwaway)
        postgres.start(processes)
        urls["DATABASE_URL"] = postgres.url
        tell(f"PostgreSQL {postgres.binaries.major} answers")
    if not urls["REDIS_URL"]:
        valkey = Valkey(folder / "valkey", socket_folder(folder / "s"), throwaway=throwaway)
        valkey.start(processes)
        urls["REDIS_URL"] = valkey.url
        tell("Valkey answers")
    return urls
