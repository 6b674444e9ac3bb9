"""The steps of the main job, each checked by what was seen over HTTP."""

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from embedded.demo.customer import Customer
from embedded.demo.expectations import answered, expect
from embedded.demo.service import Service, call_provider
from embedded.first_tenant import OPERATIONS, register
from embedded.manage import Manage
from embedded.sandbox_control import SandboxControl

# Beat renews at three quarters of it at the latest; the rest is room for a machine with other work.
TOKEN_SECONDS = 30
PATIENCE_SECONDS = 60.0


@dataclass
class Result:
    """The last line of the demo."""

    ok: bool = False
    seconds_to_first_token: float | None = None
    renewed_unasked: bool = False
    reauthorization_detected_seconds: float | None = None
    same_connection_id: bool = False
    revoked_at_provider: bool = False
    systems: dict[str, bool] = field(default_factory=dict)

    def settle(self) -> None:
        """Say that all went well, if it did."""
        steps = [value for name, value in asdict(self).items() if name not in ("ok", "systems")]
        self.ok = all(value not in (None, False) for value in steps) and all(self.systems.values() or [False])


class Story:
    """One tenant, one service, one customer; every run has its own, so that runs never meet."""

    def __init__(self, manage: Manage, sandbox: SandboxControl, tell: Callable[[str], None]) -> None:
        self.result = Result()
        self._manage = manage
        self._sandbox = sandbox
        self._tell = tell
        self._name = f"acme-{secrets.token_hex(4)}"
        self._username = f"{self._name}@acme.example"

    def run(self) -> None:
        """Live through all of it.

        Raises: Unexpected, EmbeddedError.
        """
        self._arrange()
        connection = self._connect()
        token = self._first_token()
        self._watch_renewal(connection, token)
        link = self._break(connection)
        self._repair(connection, link)
        self._disconnect(connection)

    def _arrange(self) -> None:
        secret, password = secrets.token_urlsafe(24), secrets.token_urlsafe(12)
        self._manage.json("create_tenant", self._name, "--name", f"Acme {self._name[5:]} Oy")
        operations = [word for operation in OPERATIONS for word in ("--operation", operation)]
        caller = self._manage.json("create_caller", f"{self._name}-service", "--tenant", self._name, *operations)
        registration = register(self._manage, self._name, self._name, secret, self._name)
        self._sandbox.keep_client(self._name, secret, registration["redirect_uri"], access_token_seconds=TOKEN_SECONDS)
        company = {"name": "Acme Oy", "corporate_identity_number": "1234567-1"}
        user = {"username": self._username, "password": password, "companies": [company]}
        self._sandbox.call("POST", "users", user)
        self._service = Service(self._manage.variables["PUBLIC_URL"], caller["api_key"], self._name)
        self._customer = Customer({"username": self._username, "password": password})
        self._tell(f"tenant {self._name}, its service and its client registration were created")

    def _connect(self) -> str:
        self._began = time.monotonic()
        session = self._service.connect_session()
        self._tell("the service asked the broker for a connect link")
        self._customer.connect(session["url"], f"Acme {self._name[5:]} Oy", "Visma eAccounting")
        connection = self._service.completed_connection(session["id"])
        state = self._service.connection(connection)["state"]
        expect(state == "connected", "the connection to be connected", state)
        self._tell("the customer opened it, pressed Connect, signed in and consented: connected")
        return connection

    def _first_token(self) -> dict[str, Any]:
        token = self._service.token()
        self.result.seconds_to_first_token = round(time.monotonic() - self._began, 2)
        company = answered(call_provider(token), 200, "the provider's API with the token")
        expect(company.get("Name") == "Acme Oy", "the customer's own company", str(company.get("Name")))
        self._tell(f"the service fetched a token and read {company['Name']}'s settings with it")
        return token

    def _watch_renewal(self, connection: str, token: dict[str, Any]) -> None:
        left = _seconds_until(token["expires_at"])
        self._tell(f"the token lives for {left:.0f} s more; nobody asks for another one")
        self._service.wait(
            connection,
            lambda found: found["version"] > token["version"],
            "a renewal before expiry",
            max(left, 0),
        )
        left = _seconds_until(token["expires_at"])
        expect(left > 0, "the renewal before the token expired", f"{-left:.1f} s after it")
        fresh = self._service.token()
        expect(fresh["access_token"] != token["access_token"], "another token", "the same one")
        answered(call_provider(fresh), 200, "the provider's API with the renewed token")
        self.result.renewed_unasked = True
        self._tell(f"beat renewed it unasked, {left:.1f} s before it expired; the new one works")

    def _break(self, connection: str) -> str:
        password = secrets.token_urlsafe(12)
        token = self._service.token()
        self._sandbox.call("PUT", f"users/{quote(self._username)}/password", {"password": password})
        self._customer.typed["password"] = password
        refused = call_provider(token)
        broke = time.monotonic()
        expect(refused.status_code == 401, "401 from the provider's API", str(refused.status_code))
        self._tell("the customer changed the password at the provider: its API answers 401")
        challenge = refused.headers.get("WWW-Authenticate", "")
        verdict = self._service.report_refused(connection, token["version"], challenge)
        found = self._service.wait(
            connection,
            lambda found: found["state"] == "reauthorization_required",
            "reauthorization_required",
            PATIENCE_SECONDS,
        )
        self.result.reauthorization_detected_seconds = round(time.monotonic() - broke, 2)
        self._tell(f"the service reported it ({verdict['verdict']}): {found['state']}, {found['reason']}")
        # Beat may have found out first; then the verdict is on an older version and carries no link.
        return str(verdict["connect_url"] or self._service.repair_link())

    def _repair(self, connection: str, link: str) -> None:
        self._customer.connect(link, "Visma eAccounting")
        found = self._service.wait(
            connection, lambda found: found["state"] == "connected", "connected again", PATIENCE_SECONDS
        )
        answered(call_provider(self._service.token()), 200, "the provider's API after the repair")
        self.result.same_connection_id = found["id"] == connection
        self._tell("the customer opened the repair link and consented: the same connection is connected")

    def _disconnect(self, connection: str) -> None:
        path = f"grants?client_id={self._name}&alive=true"
        alive = self._sandbox.call("GET", path)["grants"]
        expect(len(alive) == 1, "one living grant at the provider", f"{len(alive)}")
        ended = self._service.disconnect(connection)
        expect(ended["state"] == "disconnected", "disconnected", str(ended["state"]))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (alive := self._sandbox.call("GET", path)["grants"]) and time.monotonic() < deadline:
            time.sleep(0.2)
        expect(not alive, "no living grant at the provider", f"{len(alive)}")
        self.result.revoked_at_provider = True
        self._tell("the service disconnected: the provider shows the grant revoked")


def _seconds_until(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - time.time()
