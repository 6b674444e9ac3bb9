"""A worker that ends in the middle of a token request: asked to, or killed."""

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from embedded.processes import Child
from tests.fakes.broker import Broker, wait_until
from tests.fakes.sandbox import SandboxProcess
from tests.fakes.workers import Workers
from tests.journeys import customer
from tests.journeys.conftest import BareJourney, Journey
from tests.journeys.service import Service, call_provider

# The shortest lease that the settings allow for this timeout.
PACE = {
    "OUTBOUND_TIMEOUT_SECONDS": 4,
    "RENEWAL_LEASE_SECONDS": 9,
    "RENEWAL_SWEEP_SECONDS": 0.5,
    "RENEWAL_POLL_SECONDS": 0.5,
    "RENEWAL_CONFIRM_SECONDS": 1,
}
TOKEN_SECONDS = 5
STALL_SECONDS = 2.5
PATIENCE_SECONDS = 40.0
# Two looks of the reaper a second apart, and the request itself.
TAKEN_OVER_SECONDS = 4.0


class Scene:
    """A connection whose renewal is being stalled at the provider, and the worker that waits for the answer.

    Any further worker has nothing to do meanwhile.
    """

    def __init__(
        self, journey: Journey, service: Callable[[Broker], Service], *, grace: int, beat: bool, workers: int = 1
    ) -> None:
        options = ("--access-token-seconds", str(TOKEN_SECONDS), "--grace-seconds", str(grace))
        # With a beat nobody polls, so that it is known which of the two ways a renewal came.
        pace = {**PACE, "RENEWAL_POLL_SECONDS": 600} if beat else PACE
        self.broker, self.sandbox = journey(sandbox=options, **pace)
        self.broker.start_web()
        self.workers = Workers(self.broker)
        self.started = [self.workers.worker(f"worker{number}", beat=beat) for number in range(workers)]
        self.aalto = service(self.broker)
        self.connection = customer.connect_new(self.broker, self.aalto)
        self.before = self.aalto.connection(self.connection)["version"]

    def stall(self) -> None:
        """Return once the provider has rotated, with its reply still to come."""
        self.sandbox.fault("token", "stall", seconds=STALL_SECONDS, after=True)
        self.workers.wait_ready()
        wait_until(self._stalled, "a stalled token request", PATIENCE_SECONDS)

    def _stalled(self) -> bool:
        return any(one["decision"] == "rotated" and not one["finished"] for one in self.renewals())

    def renewals(self) -> list[dict[str, Any]]:
        """What the provider saw of renewals."""
        return renewals(self.sandbox)

    def holder(self) -> Child:
        """The worker that waits for the answer."""
        [(owner,)] = self.broker.rows("SELECT lease_owner FROM tenants_renewalslot WHERE intent = 'sending'")
        return next(one for one in self.started if str(one.process.pid) in owner.split(":"))

    def kill_holder(self) -> float:
        """Kill the worker that waits for the answer; return when."""
        self.workers.kill(self.holder())
        return time.time()


def test_killed_with_the_reply_on_its_way_and_a_grace_time(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    scene = Scene(journey, service, grace=60, beat=False, workers=2)
    scene.stall()
    killed_at = scene.kill_holder()
    seen = scene.aalto.wait(
        scene.connection, lambda one: one["version"] > scene.before, "another worker to take over", PATIENCE_SECONDS
    )
    assert (seen["state"], seen["reason"]) == ("connected", "")
    first, second, *_ = scene.renewals()
    assert second["presented"] == first["presented"]
    assert (second["decision"], second["reason"]) == ("rotated", "within the grace time")
    # At once: the database noticed that its owner is gone, long before the lease was over.
    assert second["at"] - killed_at < TAKEN_OVER_SECONDS
    assert call_provider(scene.aalto.token(scene.connection)).status_code == 200


def test_killed_with_the_reply_on_its_way_and_no_grace_time(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    scene = Scene(journey, service, grace=0, beat=False, workers=2)
    scene.stall()
    scene.kill_holder()
    _told_as_our_loss(scene)


def test_a_reply_that_is_dropped_after_rotating_is_told_as_our_loss(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    scene = Scene(journey, service, grace=0, beat=True)
    scene.sandbox.fault("token", "drop_after")
    _told_as_our_loss(scene)


def _told_as_our_loss(scene: Scene) -> None:
    """The refresh token is gone for good: the customer must act, and is told that it was not their doing."""
    seen = scene.aalto.wait(
        scene.connection, lambda one: one["state"] == "reauthorization_required", "the loss", PATIENCE_SECONDS
    )
    assert seen["reason"] == "rotation_lost"
    assert [one["decision"] for one in scene.renewals()[:2]] == ["rotated", "reuse_detected"]
    told = scene.aalto.token(scene.connection, status=409)
    assert (told["code"], told["reason"]) == ("reauthorization_required", "rotation_lost")
    customer.connect(scene.broker, told["connect_url"])
    repaired = scene.aalto.connection(scene.connection)
    assert (repaired["state"], repaired["reason"]) == ("connected", "")


@pytest.mark.parametrize("beat", [True, False], ids=["handed out by beat", "found by polling"])
def test_asked_to_end_it_finishes_the_request(
    journey: Journey, service: Callable[[Broker], Service], beat: bool
) -> None:
    scene = Scene(journey, service, grace=0, beat=beat)
    scene.stall()
    assert scene.workers.terminate(*scene.started) == [0]
    seen = scene.aalto.connection(scene.connection)
    assert (seen["state"], seen["reason"]) == ("connected", "")
    assert seen["version"] > scene.before
    assert [one["decision"] for one in scene.renewals()] == ["rotated"]
    assert call_provider(scene.aalto.token(scene.connection, min_ttl=0)).status_code == 200


def test_a_web_process_asked_to_end_finishes_the_renewal_it_is_in(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    broker, sandbox = journey(sandbox=("--access-token-seconds", "1"), **PACE)
    web = broker.start_web()
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    sandbox.update_client(access_token_seconds=600)
    sandbox.fault("token", "stall", seconds=STALL_SECONDS, after=True)
    with ThreadPoolExecutor(max_workers=1) as caller:
        answer = caller.submit(aalto.token, connection)
        wait_until(lambda: renewals(sandbox), "a stalled token request", PATIENCE_SECONDS)
        web.process.send_signal(signal.SIGTERM)
        assert answer.result()["version"] == 2
    web.process.wait(PATIENCE_SECONDS)
    assert broker.rows("SELECT version FROM tenants_credential") == [(2,)]


def renewals(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    """What the provider saw of renewals that had come to a decision."""
    return [one for one in sandbox.log(endpoint="token") if one["decision"] not in ("", "issued")]


# A worker whose driver dies at its first claim: what no fault that we know of does.
_DOOMED = """
import sys
from celery.__main__ import main
from celery.signals import worker_init

@worker_init.connect
def doom(**_):
    from broker.services import claiming
    claiming.Claimer.claim = lambda *_, **__: sys.exit()

sys.argv = ["celery", *sys.argv[1:]]
main()
"""


def test_a_worker_that_can_renew_no_more_ends_itself(bare_journey: BareJourney) -> None:
    broker = bare_journey()
    words = ["-A", "broker.celery:app", "worker", "--without-gossip", "--without-mingle"]
    child = broker.start("doomed", [sys.executable, "-c", _DOOMED, *words])
    assert child.process.wait(PATIENCE_SECONDS) == os.EX_SOFTWARE
    assert "renewals have ended" in child.output()
