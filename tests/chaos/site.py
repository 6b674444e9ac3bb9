"""One scenario's installation: its own database, sandbox, catalogue and processes."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.chaos import catalogue, recorder
from tests.chaos.double import Double
from tests.chaos.fleet import Fleet
from tests.chaos.ground import Ground

# Leases as short as the settings allow for this timeout, and everything else quick, so that a minute holds many rounds.
PACE = {
    "OUTBOUND_TIMEOUT_SECONDS": 4,
    "RENEWAL_LEASE_SECONDS": 9,
    "RENEWAL_SWEEP_SECONDS": 0.5,
    "RENEWAL_POLL_SECONDS": 0.5,
    "RENEWAL_CONFIRM_SECONDS": 1,
    "RENEWAL_REAP_SECONDS": 0.3,
    "RENEWAL_CONCURRENCY": 16,
    "DATABASE_POOL_SIZE": 6,
}


class Site:
    """Gone when the scenario is over.

    Units: life, grace and latency in seconds: of access tokens, of rotated refresh tokens, of the token endpoint.
    """

    def __init__(
        self, ground: Ground, name: str, *, life: int = 8, grace: int = 5, latency: float = 0.05, **settings: object
    ) -> None:
        self.ground, self.name = ground, name
        self.life, self.grace, self.latency = life, grace, latency
        self.folder = ground.folder / f"{name}-{len(os.listdir(ground.folder))}"
        self.armed, self.kills = self.folder / "armed", self.folder / "kills"
        self.escrow = self.folder / "escrow"
        self._settings = {**PACE, **settings}
        self.patience = float(str(self._settings["OUTBOUND_TIMEOUT_SECONDS"]))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for folder in (self.folder, self.armed, self.escrow):
            folder.mkdir(mode=0o700)
        self.kills.touch()
        self.database = self.ground.fresh_database()
        options = ("--access-token-seconds", str(self.life), "--grace-seconds", str(self.grace))
        self.sandbox = self._stack.enter_context(Double(self.ground.processes, *options))
        self.sandbox.set_latency(token=self.latency)
        catalogue.write(self.ground.catalogue, self.sandbox.url, grace=self.grace)
        self.ground.forget_catalogue()
        self.rows(recorder.TABLES)
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def fleet(self, *, points: bool = False, clock: float = 0.0, **settings: object) -> Fleet:
        """Return the broker's processes, none started yet. `points`: those of hooks/points.py can be armed."""
        given = {**self._variables(), **self._settings, **settings}
        hooks: dict[str, object] = {"CHAOS_CLOCK": clock} if clock else {}
        if points:
            hooks |= {"CHAOS_ARMED": self.armed, "CHAOS_KILLS": self.kills, "CHAOS_LATENCY": self.latency}
        folder = Path(self.folder / f"fleet{len(os.listdir(self.folder))}")
        folder.mkdir()
        environment = {name: str(value) for name, value in {**given, **hooks}.items()}
        fleet = Fleet(self.ground.processes, folder, environment)
        self._stack.callback(fleet.stop)
        return fleet

    def _variables(self) -> dict[str, object]:
        return {
            "DATABASE_URL": self.database,
            "REDIS_URL": self.ground.servers.redis_url,
            "CATALOGUE_DIRECTORY": self.ground.catalogue,
            "ESCROW_DIRECTORY": self.escrow,
        }

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return what one SQL statement answers."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []
