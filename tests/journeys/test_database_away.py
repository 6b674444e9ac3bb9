"""The database goes away between a provider's answer and its commit: the tokens are on the disk, and none is lost."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from embedded.manage import Manage
from embedded.processes import Child
from embedded.sockets import LONGEST_NAME, socket_folder
from tests.fakes.broker import Broker, wait_until
from tests.fakes.database_proxy import DatabaseProxy
from tests.fakes.workers import Workers
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.service import Service, call_provider

PACE = {
    "OUTBOUND_TIMEOUT_SECONDS": 6,
    "RENEWAL_LEASE_SECONDS": 11,
    "RENEWAL_SWEEP_SECONDS": 600,
    "RENEWAL_POLL_SECONDS": 0.5,
}
TOKEN_SECONDS = 6
STALL_SECONDS = 2.5
PATIENCE_SECONDS = 40.0
Places = Callable[..., "Place"]


class Place:
    """A worker behind the proxy, a web process in front of the real database, one connection of a strict provider."""

    def __init__(self, journey: Journey, service: Callable[[Broker], Service], folder: Path) -> None:
        self.broker, self.sandbox = journey(sandbox=("--access-token-seconds", str(TOKEN_SECONDS)), **PACE)
        self.broker.start_web()
        server = Path(parse_qs(urlsplit(self.broker.database_url).query)["host"][0])
        self.proxy = DatabaseProxy(socket_folder(folder), server / LONGEST_NAME)
        proxied = self.broker.database_url.replace(str(server), str(self.proxy.folder))
        # As on a machine of its own: the web process would replay a folder that both see.
        self.escrow = self.broker.folder / "worker-escrow"
        changes = {"DATABASE_URL": proxied, "ESCROW_DIRECTORY": str(self.escrow)}
        self.broker.manage = Manage({**self.broker.manage.environment, **changes})
        self.workers = Workers(self.broker)
        self.aalto = service(self.broker)

    def begin(self) -> None:
        """Return once the provider has rotated, with its reply to the worker still to come."""
        self.worker = self.start_worker("worker")
        self.connection = customer.connect_new(self.broker, self.aalto)
        self.before = self.aalto.connection(self.connection)["version"]
        self.sandbox.fault("token", "stall", seconds=STALL_SECONDS, after=True)
        wait_until(self._stalled, "a stalled token request", PATIENCE_SECONDS)

    def start_worker(self, name: str) -> Child:
        child = self.workers.worker(name)
        self.workers.wait_ready()
        return child

    def _stalled(self) -> bool:
        return any(one["decision"] == "rotated" and not one["finished"] for one in self.sandbox.log(endpoint="token"))

    def kept(self) -> list[Path]:
        """The records in the escrow."""
        return sorted(self.escrow.glob("*.json"))

    def wait_until_kept(self) -> dict[str, Any]:
        """Return what the escrow's one record holds, once it is there."""
        wait_until(self.kept, "a file in the escrow", PATIENCE_SECONDS)
        [path] = self.kept()
        found: dict[str, Any] = json.loads(path.read_text())
        assert found["connection_id"] == self.connection
        return found

    def stored_before(self) -> bool:
        """Whether the database still holds what it held before."""
        return self.broker.rows("SELECT version FROM tenants_credential") == [(self.before,)]

    def wait_until_renewed(self) -> None:
        """Return once the tokens are in use, and see that they are the provider's current ones."""
        wait_until(lambda: not self.kept(), "an empty escrow", PATIENCE_SECONDS)
        seen = self.aalto.wait(self.connection, lambda one: one["version"] > self.before, "the pair", PATIENCE_SECONDS)
        assert (seen["state"], seen["reason"]) == ("connected", "")
        self.sandbox.update_client(access_token_seconds=600)
        before = seen["version"]
        self.aalto.wait(self.connection, lambda one: one["version"] > before, "the next renewal", PATIENCE_SECONDS)
        assert call_provider(self.aalto.token(self.connection)).status_code == 200
        decided = [one["decision"] for one in self.sandbox.log(endpoint="token") if one["decision"] != "issued"]
        assert set(decided) == {"rotated"}


@pytest.fixture
def served(journey: Journey, service: Callable[[Broker], Service], tmp_path: Path) -> Iterator[tuple[Any, ...]]:
    """A web process behind the proxy: broker, proxy, Aalto's service, its connection."""
    broker, _ = journey()
    server = Path(parse_qs(urlsplit(broker.database_url).query)["host"][0])
    with DatabaseProxy(socket_folder(tmp_path / "w"), server / LONGEST_NAME) as proxy:
        proxied = broker.database_url.replace(str(server), str(proxy.folder))
        broker.manage = Manage({**broker.manage.environment, "DATABASE_URL": proxied})
        broker.start_web()
        aalto = service(broker)
        yield broker, proxy, aalto, customer.connect_new(broker, aalto)


def test_callers_are_told_to_ask_again_and_are_served_when_it_is_back(served: tuple[Any, ...]) -> None:
    broker, proxy, aalto, connection = served
    page = f"/connections/{connection}"
    asks = [
        lambda: aalto.http.get(f"{page}/token"),
        lambda: aalto.http.post("/tokens", json={"requests": [{"connection": connection}]}),
        lambda: aalto.http.get(page),
    ]
    assert [ask().status_code for ask in asks] == [200] * 3
    proxy.cut()
    for ask in asks:
        answer = ask()
        told = answer.json()
        assert (answer.status_code, told["code"], told["retryable"]) == (503, "broker_unavailable", True), answer.url
        assert answer.headers["Retry-After"] == "1"
    assert "Traceback" not in broker.logs()["web"]
    proxy.restore()
    for ask in asks:
        wait_until(partial(_served, ask), "an answer as before", PATIENCE_SECONDS)


def _served(ask: Callable[[], Any]) -> bool:
    return bool(ask().status_code == 200)


@pytest.fixture
def place(journey: Journey, service: Callable[[Broker], Service], tmp_path: Path) -> Iterator[Place]:
    made = Place(journey, service, tmp_path / "p")
    with made.proxy:
        yield made


def test_the_pair_waits_on_the_disk_and_nobody_is_given_it(place: Place) -> None:
    place.begin()
    place.proxy.cut()
    record = place.wait_until_kept()
    assert record["sent_version"] == place.before
    assert place.stored_before()
    assert place.aalto.token(place.connection, status=503, min_ttl=5)["code"] == "renewal_in_progress"
    place.proxy.restore()
    place.wait_until_renewed()


def test_a_worker_that_is_killed_meanwhile_leaves_it_to_the_next(place: Place) -> None:
    place.begin()
    place.proxy.cut()
    place.wait_until_kept()
    place.workers.kill(place.worker)
    assert place.stored_before()
    place.proxy.restore()
    place.start_worker("next")
    place.wait_until_renewed()


def test_a_database_that_hangs_is_no_reason_to_keep_tokens_in_memory(place: Place) -> None:
    place.begin()
    place.proxy.freeze()
    place.wait_until_kept()
    assert place.stored_before()
    place.proxy.restore()
    place.wait_until_renewed()
