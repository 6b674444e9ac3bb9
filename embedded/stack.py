"""Everything of one installation, started in order and stopped in reverse."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self
from urllib.parse import urlsplit

import httpx2

from embedded import environment, local_provider, programs, servers, static_files
from embedded.errors import EmbeddedError
from embedded.first_tenant import FirstTenant
from embedded.guardian import Guardian
from embedded.home import CHECKOUT, Home
from embedded.manage import Manage
from embedded.ports import HOST, choose
from embedded.processes import Processes
from embedded.sandbox_control import SandboxControl
from embedded.stop_signal import StopSignal

READY_SECONDS = 120.0
Tell = Callable[[str], None]


class Stack:
    """The processes of `make run`; as a context manager it leaves none behind, whatever happens.

    `tell` gets one short line a step.
    """

    def __init__(self, home: Home, tell: Tell, stop_signal: StopSignal) -> None:
        self.home = home
        self.web_port = choose(home, "web", 8000)
        self.sandbox_url = f"http://{HOST}:{choose(home, 'sandbox', 9000)}"
        self._tell = tell
        self._stop_signal = stop_signal
        self._guardian = Guardian()
        self._servers = Processes(home.logs, self._guardian)
        self._programs = Processes(home.logs, self._guardian)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.home.run_file.unlink(missing_ok=True)
        # The programs first: they end their work in the database that the servers still hold.
        self._programs.stop()
        self._servers.stop()
        self._guardian.close()

    def start(self) -> Manage:
        """Return the commands of the installation; `wait_until_ready` has to follow.

        Raises: EmbeddedError when something does not start, Stopped.
        """
        sandbox = programs.sandbox(self.sandbox_url, self.home.root / "sandbox")
        child = self._programs.start("sandbox", sandbox, folder=CHECKOUT)
        manage = Manage(self._start_servers())
        environments = local_provider.read_environments(self.sandbox_url, child)
        local_provider.write_catalogue(self.home, environments)
        self._step("The sandbox provider answers")
        self._prepare_database(manage)
        self._start_broker(manage)
        FirstTenant(self.home, manage).ensure(SandboxControl(self.sandbox_url))
        return manage

    def watch(self) -> None:
        """Stay until somebody asks to stop.

        Raises: Stopped, or ProcessDied naming the process that ended by itself.
        """
        while True:
            self._stop_signal.wait(0.5)
            self._servers.raise_if_dead()
            self._programs.raise_if_dead()

    def _start_servers(self) -> dict[str, str]:
        urls = servers.start_missing(self._servers, self.home.root, tell=self._step)
        variables = environment.broker_environment(self.home, f"http://{HOST}:{self.web_port}", urls)
        environment.save(self.home, variables)
        return variables

    def _prepare_database(self, manage: Manage) -> None:
        with ThreadPoolExecutor(max_workers=1) as beside:
            collecting = beside.submit(static_files.collect, self.home, manage)
            manage.run("migrate", "--noinput", "--verbosity=0")
            collecting.result()
        self._step("The database is up to date")

    def _start_broker(self, manage: Manage) -> None:
        commands = {
            "web": programs.web(self.web_port, HOST),
            "worker": programs.worker(self.home.root / "celerybeat-schedule"),
        }
        for name, command in commands.items():
            self._programs.start(name, command, environment=manage.environment, folder=CHECKOUT)

    def wait_until_ready(self, manage: Manage) -> None:
        """Stay until the broker serves.

        Raises: ProcessDied, EmbeddedError when it takes too long, Stopped.
        """
        address = f"http://{HOST}:{self.web_port}/readyz"
        headers = {"Host": urlsplit(manage.variables["PUBLIC_URL"]).netloc}
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(address, headers):
            self._programs.raise_if_dead()
            if time.monotonic() > deadline:
                raise EmbeddedError(f"The broker is not ready after {READY_SECONDS:.0f} s; see {self.home.logs}")
            self._stop_signal.wait(0.1)
        self._step("The broker is ready")
        self.home.write("run.json", {"sandbox_url": self.sandbox_url, "pid": os.getpid()})

    def _step(self, line: str) -> None:
        self._tell(line)
        self._stop_signal.check()


def _answers(address: str, headers: dict[str, str]) -> bool:
    try:
        return httpx2.get(address, headers=headers, timeout=5, trust_env=False).is_success
    except httpx2.HTTPError:
        return False
