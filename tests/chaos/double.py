"""The sandbox of one scenario, as a process that goes when the harness goes."""

import json
import time
from typing import Any, Self

from embedded.processes import Child, Processes
from tests.fakes.broker import PROJECT
from tests.fakes.sandbox import CLIENT_ID, SandboxProcess, plain_client

USER = "anna@acme.example"
AT_ONCE = 5000
START_SECONDS = 30.0


class Double(SandboxProcess):
    """The provider's double with what a load needs: grants in bulk, its log in one go."""

    def __init__(self, processes: Processes, *options: str) -> None:
        super().__init__(*options)
        self._processes = processes
        self._child: Child | None = None

    def start(self) -> Self:
        ready = self._processes.log_folder / "sandbox-ready"
        ready.unlink(missing_ok=True)
        child = self._processes.start("sandbox", [*self._command, "--ready-file", str(ready)], folder=PROJECT)
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if not child.running or time.monotonic() > deadline:
                raise child.obituary()
            time.sleep(0.02)
        self._child = child
        self.url = json.loads(ready.read_text())["url"]
        # Grants by the thousand and long logs take their time.
        self._control = plain_client(base_url=f"{self.url}/_sandbox/", timeout=120)
        return self

    def stop(self) -> int:
        assert self._child is not None
        self._child.process.terminate()
        status = self._child.process.wait(10)
        self._control.close()
        self._processes.forget(self._child)
        return status

    def new_refresh_tokens(self, count: int, client_id: str = CLIENT_ID) -> list[str]:
        """Refresh tokens of so many new grants, as if so many customers had just connected."""
        tokens: list[str] = []
        while len(tokens) < count:
            asked = {"client_id": client_id, "user": USER, "count": min(AT_ONCE, count - len(tokens))}
            tokens += self.control("POST", "grants", asked)["refresh_tokens"]
        return tokens

    def token_requests(self) -> list[dict[str, Any]]:
        """Every request of its token endpoint, in order."""
        return self.log(endpoint="token")
