"""What operators take away is gone within seconds, on every web process; a key that drains the vault is stopped."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.fakes import broker as processes
from tests.fakes.broker import HOST, READY_SECONDS, Broker, free_port, wait_until
from tests.fakes.issuer import AUDIENCE, ISSUER, Issuer
from tests.fakes.workers import Workers
from tests.journeys.conftest import BareJourney
from tests.journeys.installation import Installation

EFFECTIVE_SECONDS = 5.0
THROTTLED_SECONDS = 60.0
SUBJECT = "system:serviceaccount:billing:invoicing"
MAKE = """
from tenants.models import Tenant
from tests.broker import hand_made
aalto = Tenant.objects.get(slug="aalto")
registration = hand_made.registered("maventa")
for number in range({count}):
    print(hand_made.connected(aalto, registration, hand_made.minted(("a",)), life_seconds=3600).id)
"""
# Two days in which each key read five connections an hour.
HISTORY = """
    INSERT INTO tenants_issuecount
        (connection_id, tenant_id, caller_id, key_id, version, hour, reads, first_at, last_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid, ct.tenant_id, k.caller_id, k.key_id, 1, hour, 1, hour, hour
    FROM tenants_apikey k JOIN tenants_caller_tenants ct ON ct.caller_id = k.caller_id, generate_series(1, 5) AS n,
         generate_series(date_trunc('hour', now()) - interval '50 hours', now() - interval '3 hours', '1 hour') AS hour
"""

# Not what is tested, so without a command, which takes as long as the rest.
GIVE_BACK = """
    WITH given AS (
        UPDATE tenants_caller SET active = true, providers = '{}', operations = '{token.read,connection.read}'
        WHERE name = 'aalto' RETURNING id
    )
    UPDATE tenants_caller_tenants SET tenant_id = (SELECT id FROM tenants_tenant WHERE slug = 'aalto')
    WHERE caller_id = (SELECT id FROM given)
"""


class Web:
    """Two web processes of one broker, each at an address of its own, asked alike."""

    def __init__(self, broker: Broker) -> None:
        broker.start_web()
        second = f"http://{HOST}:{free_port()}"
        child = broker.start("second", processes.granian(second, workers=1))
        wait_until(lambda: _answers(second), "the second server", READY_SECONDS, children=[child])
        self.addresses = [broker.url, second]

    def statuses(self, connection: str, key: str) -> set[int]:
        """Return what both answer on a route by hand and on a described one."""
        asked = [f"{url}/v1/connections/{connection}{more}" for url in self.addresses for more in ("/token", "")]
        headers = {"Authorization": f"Bearer {key}"}
        return {httpx2.get(url, headers=headers, trust_env=False, timeout=10).status_code for url in asked}

    def soon(self, connection: str, key: str, status: int) -> None:
        """Return once both answer so everywhere, which takes no longer than it may."""
        began = time.monotonic()
        wait_until(lambda: self.statuses(connection, key) == {status}, f"{status} everywhere", EFFECTIVE_SECONDS)
        assert time.monotonic() - began < EFFECTIVE_SECONDS


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=10, trust_env=False).is_success
    except httpx2.HTTPError:
        return False


def make(broker: Broker, count: int) -> list[str]:
    return broker.manage.run("shell", "--no-imports", "-c", MAKE.format(count=count)).split()[-count:]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


def test_what_is_taken_away_is_gone_everywhere_within_seconds(
    bare_journey: BareJourney, installation: Installation, issuer: Issuer
) -> None:
    broker, key = bare_journey(), installation.keys["aalto"]
    (connection,) = make(broker, 1)
    web = Web(broker)
    run = broker.manage.json
    trust, keys = ("trust_issuer", "cluster", "--issuer", ISSUER, "--audience"), ("--jwks-uri", issuer.jwks_uri)
    keys += ("--algorithm", "ES256")
    run(*trust, AUDIENCE, *keys)
    workload = run("add_workload", "aalto", "--issuer", "cluster", "--subject", SUBJECT)["key_id"]
    token = issuer.token(sub=SUBJECT)
    broker.secrets.add(token)
    for each in (key, token):
        web.soon(connection, each, 200)

    for taken, status in (
        (("--operation", "event.read"), 403),
        (("--tenant", "birch"), 404),
        (("--provider", "visma-eaccounting"), 404),
        (("--stop",), 401),
    ):
        run("change_caller", "aalto", *taken)
        for each in (key, token):
            web.soon(connection, each, status)
        broker.rows(GIVE_BACK)
    run("distrust_issuer", "cluster")
    web.soon(connection, token, 401)
    broker.rows("UPDATE tenants_trustedissuer SET active = true")
    web.soon(connection, token, 200)
    run(*trust, "another", *keys)
    web.soon(connection, token, 401)
    broker.rows("UPDATE tenants_trustedissuer SET audience = %s", AUDIENCE)
    web.soon(connection, token, 200)
    run("revoke_key", workload)
    web.soon(connection, token, 401)

    key_id = key.split("_")[2]
    run("change_key", key_id, "--network", "192.0.2.0/24")
    web.soon(connection, key, 403)
    broker.rows("UPDATE tenants_apikey SET networks = '{}'")
    web.soon(connection, key, 200)
    run("revoke_key", key_id)
    web.soon(connection, key, 401)


def test_a_stolen_key_is_throttled_and_told_of_while_others_are_served(
    bare_journey: BareJourney, installation: Installation
) -> None:
    broker = bare_journey()
    stolen = installation.keys["aalto"]
    connections = make(broker, 51)
    own = broker.manage.json("create_key", "aalto")["api_key"]
    broker.secrets.add(own)
    broker.rows(HISTORY)
    broker.start_web()
    workers = Workers(broker)
    workers.worker("one", beat=True)
    workers.wait_ready()

    def ask(key: str) -> Callable[[str], int]:
        headers = {"Authorization": f"Bearer {key}"}
        address = f"{broker.url}/v1/connections"
        return lambda each: httpx2.get(f"{address}/{each}/token", headers=headers, trust_env=False).status_code

    # The service goes on with its five meanwhile.
    assert [ask(own)(connection) for connection in connections[:5]] == [200] * 5
    with ThreadPoolExecutor(max_workers=4) as thief:
        assert Counter(thief.map(ask(stolen), connections)) == {200: 51}
    wait_until(lambda: ask(stolen)(connections[0]) == 429, "the key to be throttled", THROTTLED_SECONDS)
    assert ask(own)(connections[0]) == 200
    ((payload,),) = broker.rows("SELECT payload FROM tenants_outboxevent WHERE type = 'caller.throttled'")
    assert (payload["caller"], payload["key_id"], payload["connections"]) == ("aalto", stolen.split("_")[2], 51)
    assert broker.rows("SELECT detail->>'key_id' FROM tenants_auditevent WHERE action = 'caller.throttled'") == [
        (stolen.split("_")[2],)
    ]
    broker.manage.json("change_key", stolen.split("_")[2], "--lift-throttle")
    wait_until(lambda: ask(stolen)(connections[0]) == 200, "the key to be served again", EFFECTIVE_SECONDS)
