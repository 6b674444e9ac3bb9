"""What is fuzzed: a running broker with one of everything, owned by Aalto, and keys that may not have it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.broker import Broker
from tests.journeys import belongings
from tests.journeys.installation import Installation
from tests.journeys.service import Service
from tests.people import PROVIDER

# So that what is looked for is not hidden behind "too many requests".
UNLIMITED = 100_000_000
ORIGINAL = {"X-Original-Method": "GET", "X-Original-URI": "/customers"}
HEADERS = {"forwardAuth": ORIGINAL, "forwardAuthByName": ORIGINAL}


@dataclass(frozen=True)
class Ground:
    """A broker and what stands in it.

    Shape:  values and victims are by the names of path parameters; a victim is what may be ended. bodies and
            headers are by operation id: members and fields of a request that lead to a success.
    """

    broker: Broker
    keys: dict[str, str]
    values: dict[str, str]
    victims: dict[str, str]
    bodies: dict[str, dict[str, Any]]
    headers: dict[str, dict[str, str]] = field(default_factory=lambda: HEADERS)

    def mine(self) -> set[bytes]:
        """Return the ids and tokens that only Aalto may see."""
        ids = {value for named in (self.values, self.victims) for value in named.values() if len(value) == 36}
        return {one.encode() for one in ids | self.broker.secrets if one}

    def unharmed(self) -> list[str]:
        """Return what is wrong with the broker when all is over."""
        wrong = [f"the log of {name} holds a secret" for name in self.broker.leaks()]
        for name, text in self.broker.logs().items():
            wrong += [
                f"{name}: {line}" for line in text.splitlines() if "Traceback" in line or "unhandled fault" in line
            ]
        states = self.broker.rows(
            "SELECT state, reason FROM tenants_connection WHERE id = %s", self.values["connection_id"]
        )
        return wrong if states == [("connected", "")] else [*wrong, f"the connection is {states}"]


@contextmanager
def prepared(installation: Installation, folder: Path) -> Iterator[Ground]:
    """Gives the ground, its web process running."""
    with installation.with_sandbox(folder) as (broker, _):
        broker.rows("UPDATE tenants_caller SET rate_per_minute = %s", UNLIMITED)
        broker.start_web()
        with Service(broker, installation.keys["aalto"]) as aalto:
            victims = belongings.of_aalto(broker, aalto, "victim")
            # Ended once already, which may be repeated: two that are served could not be told apart by name.
            aalto.disconnect(victims["connection_id"])
            values = belongings.of_aalto(broker, aalto)
        yield Ground(broker, installation.keys, values, victims, _bodies(values))


def _bodies(values: dict[str, str]) -> dict[str, dict[str, Any]]:
    to_sign = {"method": "GET", "url": f"{values['base_url']}/customers"}
    return {
        "createConnectSession": {"tenant": "aalto", "providers": [PROVIDER], "return_url": "", "locale": "fi"},
        "reportFailure": {"status": 403, "version": 1},
        "getHeaders": to_sign,
        "getHeadersByName": to_sign,
        "getTokens": {"requests": [{"connection": values["connection_id"]}]},
        "createWebhookEndpoint": {"url": belongings.TARGET, "types": ["connection.degraded"]},
        "changeWebhookEndpoint": {"url": belongings.TARGET, "types": []},
    }
