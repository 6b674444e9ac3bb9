"""Every further system, each from the registration to the repair."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from embedded.demo.expectations import Unexpected, expect
from embedded.demo.service import Service
from embedded.demo.systems import signed, signed_in, typed
from embedded.demo.systems.description import Run, System
from embedded.demo.systems.walk import Walk
from embedded.errors import EmbeddedError
from embedded.first_tenant import OPERATIONS
from embedded.local_provider import ENVIRONMENT
from embedded.manage import Manage
from embedded.sandbox_control import SandboxControl

# One machine plays customer, service, broker and vendor of all of them.
AT_ONCE = 6


class Systems:
    """One tenant and its service, connected to everything."""

    def __init__(self, manage: Manage, sandbox: SandboxControl, tell: Callable[[str], None]) -> None:
        self._manage = manage
        self._sandbox = sandbox
        self._tell = tell
        self._name = f"acme-{secrets.token_hex(4)}"

    def run(self) -> dict[str, bool]:
        """Return which systems went as they should, by provider id.

        Raises: EmbeddedError when a registration is refused.
        """
        run = Run(self._name, self._manage.variables["PUBLIC_URL"])
        described = list(all_systems(run))
        key, refusals = self._arrange(run, described)
        self._tell(f"{len(described)} more client registrations were made for tenant {self._name}")
        with ThreadPoolExecutor(AT_ONCE) as walkers:
            walked = list(walkers.map(lambda system, why: self._walk(system, key, why), described, refusals))
        return {system.provider: good for system, good in zip(described, walked, strict=True)}

    def _arrange(self, run: Run, described: list[System]) -> tuple[str, list[str]]:
        """The service's key, and for each system why its registration was refused, empty where it was not."""
        operations = [word for operation in OPERATIONS for word in ("--operation", operation)]
        commands = [
            (["create_tenant", self._name, "--name", "Acme Oy"], ""),
            (["create_caller", f"{self._name}-service", "--tenant", self._name, *operations], ""),
            *((registration(run, system, self._name), system.secret) for system in described),
        ]
        _, caller, *registrations = self._manage.many(commands)
        return str(caller["api_key"]), [str(made.get("refused", "")) for made in registrations]

    def _walk(self, system: System, key: str, refusal: str) -> bool:
        service = Service(self._manage.variables["PUBLIC_URL"], key, self._name, system.provider)
        try:
            expect(not refusal, "the client registration to be taken", refusal)
            self._tell(Walk(system, service, self._sandbox).run())
        except (Unexpected, EmbeddedError) as problem:
            self._tell(f"{system.name} failed: {problem}")
            return False
        return True


def all_systems(run: Run) -> Iterator[System]:
    """Return every system with names of this run."""
    yield from signed.systems(run)
    yield from typed.systems(run)
    yield from signed_in.systems(run)


def registration(run: Run, system: System, tenant: str) -> list[str]:
    """Return the words of the command that enters a system's client registration; the secret is its stdin."""
    words = ["register_client", system.provider, "--environment", ENVIRONMENT, "--tenant", tenant]
    words += ["--client-id", system.client_id, "--redirect-key", run.key(system.provider)]
    words += ["--client-secret-file", "-"] if system.secret else []
    words += [word for scope in system.scopes for word in ("--scope", scope)]
    return words + [word for name, value in system.parameters.items() for word in ("--parameter", f"{name}={value}")]
