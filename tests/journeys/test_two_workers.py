"""Two workers and two beats race over the same connections: every refresh token is used once, and by one of them."""

import json
import time
from collections import Counter
from collections.abc import Callable

from tests.fakes.broker import Broker
from tests.fakes.workers import Workers
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.service import Service

CONNECTIONS = 30
RACE_SECONDS = 18.0
TOKEN_SECONDS = 6
GENERATIONS = 4
PACE = {"RENEWAL_SWEEP_SECONDS": 0.3, "RENEWAL_POLL_SECONDS": 0.3, "RENEWAL_BATCH": 5}


def test_no_refresh_token_is_ever_sent_twice(journey: Journey, service: Callable[[Broker], Service]) -> None:
    broker, sandbox = journey(sandbox=("--access-token-seconds", str(TOKEN_SECONDS)), **PACE)
    broker.start_web()
    aalto = service(broker)
    connections = customer.connect_many(broker, aalto, CONNECTIONS)
    # Slow enough that a second request for the same grant would find the first one still there.
    sandbox.set_latency(token=0.15)
    race(broker)

    asked = [entry for entry in sandbox.log(endpoint="token") if entry["decision"] != "issued"]
    assert [entry for entry in asked if entry["most_in_flight"] > 1] == []
    assert Counter(entry["decision"] for entry in asked) == {"rotated": len(asked)}
    presented = Counter(entry["presented"] for entry in asked)
    assert [token for token, times in presented.items() if times > 1] == []
    renewals = Counter(entry["grant"] for entry in asked)
    assert len(renewals) == CONNECTIONS
    assert min(renewals.values()) >= 2, renewals
    seen = {one["id"]: (one["state"], one["reason"]) for one in aalto.connections()}
    assert seen == dict.fromkeys(connections, ("connected", ""))


def test_workers_that_are_replaced_one_after_the_other_lose_nothing(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    """As a deployment does it, at a provider that forgives nothing."""
    options = ("--access-token-seconds", str(TOKEN_SECONDS), "--grace-seconds", "0")
    broker, sandbox = journey(sandbox=options, **PACE)
    broker.start_web()
    aalto = service(broker)
    connections = customer.connect_many(broker, aalto, CONNECTIONS)
    sandbox.set_latency(token=0.3)
    workers = Workers(broker)
    old = workers.worker("generation0")
    workers.wait_ready()
    for number in range(1, GENERATIONS):
        new = workers.worker(f"generation{number}")
        workers.wait_ready()
        assert workers.terminate(old) == [0]
        old = new
    assert workers.terminate(old) == [0]

    asked = [entry for entry in sandbox.log(endpoint="token") if entry["decision"] != "issued"]
    assert {entry["decision"] for entry in asked} == {"rotated"}
    assert min(_claimed(log) for name, log in broker.logs().items() if name.startswith("generation")) > 0
    seen = {one["id"]: (one["state"], one["reason"]) for one in aalto.connections()}
    assert seen == dict.fromkeys(connections, ("connected", ""))
    assert broker.rows("SELECT count(*) FROM tenants_renewalslot WHERE intent <> '' OR lease_owner <> ''") == [(0,)]


def race(broker: Broker) -> None:
    """Let them race, then stop all of them, so that nothing is in flight when the evidence is read."""
    workers = Workers(broker)
    racers = [workers.worker("one"), workers.worker("two"), workers.beat("beat-one"), workers.beat("beat-two")]
    workers.wait_ready()
    # Not a wait for something: the race itself takes this long.
    time.sleep(RACE_SECONDS)
    assert workers.terminate(*racers) == [0, 0, 0, 0]
    claimed = {name: _claimed(broker.logs()[name]) for name in ("one", "two")}
    assert min(claimed.values()) > 0, f"there was no race: {claimed}"


def _claimed(log: str) -> int:
    """How many renewals a worker took on, as it says in the end."""
    said = [json.loads(line) for line in log.splitlines() if "renewals are over here" in line]
    return int(said[-1]["count"])
