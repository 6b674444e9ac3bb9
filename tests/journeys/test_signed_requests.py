"""What was signed is written down, whatever happens to the process that signed it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from embedded.processes import Child
from tests.fakes.broker import Broker, Server, wait_until
from tests.journeys.conftest import BareJourney
from tests.journeys.service import Service

GET = {"method": "GET", "url": "https://integration.netvisor.fi/customerlist.nv"}
MAKE = """
from tenants.models import Tenant
from tests.broker import hand_made
print(hand_made.netvisor(Tenant.objects.get(slug="aalto")).id)
"""
REQUESTS = 60
STARTED = {"granian": re.compile("Started worker"), "gunicorn": re.compile("Booting worker")}


def wait_for_both(web: Child, server: Server) -> None:
    """One worker answers while the other still starts, and a server that is told to stop then may not."""
    started = STARTED[server]
    wait_until(lambda: len(started.findall(web.output())) == 2, "both workers to start", 60, children=[web])


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
def test_nothing_that_was_signed_is_forgotten_when_the_server_is_told_to_stop(
    bare_journey: BareJourney, service: Callable[[Broker], Service], server: Server
) -> None:
    broker = bare_journey()
    connection = broker.manage.run("shell", "--no-imports", "-c", MAKE).split()[-1]
    aalto = service(broker)
    signed: list[str] = []
    for _ in range(2):
        web = broker.start_web(server, workers=2)
        wait_for_both(web, server)
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: aalto.headers(connection, GET), range(REQUESTS))
            signed += [answer["transaction_id"] for answer in answers]
        # Within the seconds in which it would have been written anyway.
        web.process.terminate()
        web.process.wait(timeout=20)
    assert len(set(signed)) == 2 * REQUESTS, "no two workers and no two runs give one name twice"
    written = broker.rows(
        "SELECT jsonb_path_query(detail, '$.requests[*].transaction_id') #>> '{}' FROM tenants_auditevent "
        "WHERE action = 'request.signed'"
    )
    assert sorted(name for (name,) in written) == sorted(signed)
