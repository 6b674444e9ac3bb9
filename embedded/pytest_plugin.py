"""Gives a test run its own PostgreSQL and Valkey, unless DATABASE_URL and REDIS_URL name running ones.

Loaded with `-p`: pytest-django reads the settings before any conftest, and the settings read the environment.
The controlling process starts the servers; xdist's workers inherit the addresses.
"""

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from embedded import servers, settings_for_tests
from embedded.guardian import Guardian
from embedded.processes import Processes
from embedded.sockets import socket_folder

OWN_VALKEY = "BROKER_TESTS_OWN_VALKEY"
VALKEY_DATABASES = 16


class ServersOfRun:
    """The servers of one test run, in one folder that goes with them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="broker-tests-"))
        self.guardian = Guardian()
        self.guardian.remove(self.folder)
        self.processes = Processes(self.folder, self.guardian)
        self.guardian.remove(socket_folder(self.folder / "s"))

    def start_missing(self) -> None:
        """Start what the environment names no address of, and put the addresses there."""
        own_valkey = not os.environ.get("REDIS_URL")
        os.environ.update(servers.start_missing(self.processes, self.folder, throwaway=True))
        if own_valkey:
            os.environ[OWN_VALKEY] = "1"

    def stop(self) -> None:
        """Stop them and remove their folder."""
        self.processes.stop()
        self.guardian.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Prepare the environment before pytest-django imports the settings."""
    settings_for_tests.set_missing()
    if "PYTEST_XDIST_WORKER" in os.environ:
        take_own_database()
    else:
        start_missing()
    return (yield)


def start_missing() -> None:
    """Start the servers that no address was given of, to be stopped when this process ends."""
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return
    run = ServersOfRun()
    # Not pytest_unconfigure: pytest skips that one when the command line is wrong.
    atexit.register(run.stop)
    run.start_missing()


def take_own_database() -> None:
    """Give each xdist worker its own database of the run's own Valkey: queues must not mix."""
    number = re.search(r"\d+", os.environ["PYTEST_XDIST_WORKER"])
    if number and os.environ.pop(OWN_VALKEY, None):
        database = (int(number[0]) + 1) % VALKEY_DATABASES
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("?db=0", f"?db={database}")
