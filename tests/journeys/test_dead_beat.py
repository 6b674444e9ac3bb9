"""Beat and the queue are hints: without them renewals come a little later, and come."""

from collections.abc import Callable
from pathlib import Path

from embedded.guardian import Guardian
from embedded.manage import Manage
from embedded.processes import Child, Processes
from embedded.sockets import socket_folder
from embedded.valkey import Valkey
from tests.fakes.broker import Broker, flush
from tests.fakes.sandbox import SandboxProcess
from tests.fakes.workers import Workers
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.service import Service, call_provider

TOKEN_SECONDS = 4
PATIENCE_SECONDS = 30.0
PACE = {"RENEWAL_SWEEP_SECONDS": 0.5, "RENEWAL_POLL_SECONDS": 0.4}


def test_workers_renew_without_any_beat(journey: Journey, service: Callable[[Broker], Service]) -> None:
    broker, _ = _started(journey)
    workers = Workers(broker)
    workers.worker("worker")
    workers.wait_ready()
    _renewed(broker, service(broker))
    assert "sweep_due[" not in broker.logs()["worker"], "a beat was there after all"


def test_a_flushed_and_then_stopped_queue_only_delays(
    journey: Journey, service: Callable[[Broker], Service], tmp_path: Path
) -> None:
    guardian = Guardian()
    servers = Processes(tmp_path, guardian)
    valkey = Valkey(tmp_path / "valkey", socket_folder(tmp_path / "s"), throwaway=True)
    try:
        queue = valkey.start(servers)
        _queue_lost(journey, service, valkey, queue)
    finally:
        servers.stop()
        guardian.close()


def test_a_worker_that_starts_without_a_queue_renews(
    journey: Journey, service: Callable[[Broker], Service], tmp_path: Path
) -> None:
    broker, _ = _started(journey)
    nowhere = {"REDIS_URL": f"unix://{tmp_path}/nobody.sock?db=0"}
    broker.manage = Manage({**broker.manage.environment, **nowhere})
    workers = Workers(broker)
    child = workers.worker("worker")
    _renewed(broker, service(broker))
    assert " ready." not in child.output(), "a queue was there after all"
    assert workers.terminate(child) == [0]


def _queue_lost(journey: Journey, service: Callable[[Broker], Service], valkey: Valkey, queue: Child) -> None:
    broker, _ = _started(journey, redis_server=valkey.url)
    workers = Workers(broker)
    child = workers.worker("worker", beat=True)
    workers.wait_ready()
    aalto = service(broker)
    connection = _renewed(broker, aalto)

    flush(valkey.url)
    _renewed(broker, aalto, connection)

    queue.process.kill()
    queue.process.wait()
    _renewed(broker, aalto, connection)
    assert child.running


def _started(journey: Journey, **more: object) -> tuple[Broker, SandboxProcess]:
    broker, sandbox = journey(sandbox=("--access-token-seconds", str(TOKEN_SECONDS)), **PACE, **more)
    broker.start_web()
    return broker, sandbox


def _renewed(broker: Broker, aalto: Service, connection: str = "") -> str:
    """Watch one renewal that nobody asked for, of a new connection or of this one."""
    known = connection or customer.connect_new(broker, aalto)
    before = aalto.connection(known)["version"]
    aalto.wait(known, lambda seen: seen["version"] > before, "a renewal unasked", PATIENCE_SECONDS)
    # The rows say so, and the provider as well.
    assert call_provider(aalto.token(known, min_ttl=0)).status_code == 200
    return known
