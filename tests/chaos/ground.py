"""What all rows of one run share: servers, a migrated database to copy, and Django in this process."""

import importlib
import logging
import os
from pathlib import Path

import django
import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from embedded import settings_for_tests
from embedded.guardian import Guardian
from embedded.processes import Processes
from tests.chaos.servers import Servers
from tests.fakes.broker import database_url, flush


class Ground:
    """Started once; each scenario takes a fresh copy of the database and an empty queue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.guardian = Guardian()
        self.processes = Processes(folder, self.guardian)
        self.servers = Servers(self.processes, folder)
        self.catalogue = folder / "catalogue"
        self._copies = 0

    def start(self) -> None:
        """Servers, settings, Django, tables. Nothing of an installation that the caller may have is used."""
        self.catalogue.mkdir()
        for name in ("SECRET_KEY", "KEYRING", "PUBLIC_URL", "BROKER_ENVIRONMENT", "ESCROW_DIRECTORY"):
            os.environ.pop(name, None)
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = self.servers.database_url, self.servers.redis_url
        os.environ["CATALOGUE_DIRECTORY"] = str(self.catalogue)
        settings_for_tests.set_missing()
        self.servers.start()
        django.setup()
        # What the broker's code says in this process; its own processes have logs of their own.
        logging.disable(logging.CRITICAL)
        self._simple_connections()
        call_command("migrate", verbosity=0)
        connections["default"].close()

    def _simple_connections(self) -> None:
        """No pool, so that it can be pointed elsewhere; no time limit, for rows are written in bulk."""
        options = connections["default"].settings_dict["OPTIONS"]
        options.pop("pool", None)
        options.pop("options", None)

    def fresh_database(self) -> str:
        """Return the address of a new copy, where Django's models of this process live from now on."""
        self._copies += 1
        name, default = f"chaos{self._copies}", connections["default"]
        default.close()
        with psycopg.connect(database_url(self.servers.database_url, "postgres"), autocommit=True) as maintenance:
            template = sql.Identifier("broker")
            maintenance.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template))
        default.settings_dict["NAME"] = name
        flush(self.servers.redis_url)
        return database_url(self.servers.database_url, name)

    def forget_catalogue(self) -> None:
        """The next look at the catalogue reads its files again."""
        importlib.import_module("broker.services.directory").registry.cache_clear()

    def stop(self, *, keep: bool) -> None:
        """End everything; logs and records stay where `keep` says so."""
        if not keep:
            self.guardian.remove(self.folder)
        connections["default"].close()
        self.processes.stop()
        self.guardian.close()
