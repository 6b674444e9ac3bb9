"""Every token that was handed out is in the sums, when the server is told to stop in the middle of the work."""

import re
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from embedded.processes import Child
from tests.fakes.broker import Broker, Server, wait_until
from tests.journeys.conftest import BareJourney
from tests.journeys.service import Service

MAKE = """
from tenants.models import Tenant
from tests.broker import hand_made
from tests.broker.hand_made import CUID
aalto = Tenant.objects.get(slug="aalto")
registration = hand_made.registered("maventa")
for number in range(4):
    print(hand_made.connected(aalto, registration, hand_made.minted(("a",)), life_seconds=3600).id)
"""
STARTED = {"granian": re.compile("Started worker"), "gunicorn": re.compile("Booting worker")}
CLIENTS = 8
ENOUGH = 400


class Load:
    """Clients that ask without pause until the server is gone, and what became of each request."""

    def __init__(self, service: Service, connections: list[str]) -> None:
        self._http = service.http
        self._connections = connections
        self._lock = threading.Lock()
        self.answered, self.cut = 0, 0
        self._threads = [threading.Thread(target=self._ask, args=[number]) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)

    def _ask(self, number: int) -> None:
        path = f"/connections/{self._connections[number % len(self._connections)]}/token"
        while True:
            try:
                answer = self._http.get(path)
            except httpx2.ConnectError:
                return
            except httpx2.TransportError:
                # It left, and nobody can say how far it came.
                self._note(cut=1)
                continue
            assert answer.status_code == 200, answer.text
            self._note(answered=1)

    def _note(self, *, answered: int = 0, cut: int = 0) -> None:
        with self._lock:
            self.answered += answered
            self.cut += cut


def counted(broker: Broker) -> int:
    return int(broker.rows("SELECT coalesce(sum(reads), 0) FROM tenants_issuecount")[0][0])


def wait_for_both(web: Child, server: Server) -> None:
    """One worker answers while the other still starts, and a server that is told to stop then may not."""
    wait_until(lambda: len(STARTED[server].findall(web.output())) == 2, "both workers to start", 60, children=[web])


# Told to stop with all of it in memory, and in the middle of writing.
@pytest.mark.parametrize(("server", "flush_seconds"), [("granian", 5), ("granian", 0.01), ("gunicorn", 5)])
def test_what_was_answered_is_in_the_sums_when_the_server_is_told_to_stop(
    bare_journey: BareJourney, service: Callable[[Broker], Service], server: Server, flush_seconds: float
) -> None:
    broker = bare_journey(ISSUE_COUNT_FLUSH_SECONDS=flush_seconds)
    connections = broker.manage.run("shell", "--no-imports", "-c", MAKE).split()[-4:]
    web = broker.start_web(server, workers=2)
    wait_for_both(web, server)
    load = Load(service(broker), connections)
    load.start()
    wait_until(lambda: load.answered > ENOUGH, "some answers", 60, children=[web])
    web.process.terminate()
    web.process.wait(timeout=30)
    load.join()
    assert load.answered <= counted(broker) <= load.answered + load.cut
    assert load.cut <= CLIENTS
    rows: list[tuple[Any, ...]] = broker.rows(
        "SELECT DISTINCT source, length(key_id), fingerprint IS NULL FROM tenants_issuecount"
    )
    assert rows == [("127.0.0.1", 12, False)]
