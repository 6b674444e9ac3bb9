"""Many callers meet one token that has ended: one request to the provider, the new token for all."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx2

from tests.chaos_support import callers
from tests.fakes.broker import Broker, wait_until
from tests.fakes.workers import Workers
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.service import Service, call_provider

ROUNDS = 25
LATENCY_SECONDS = 0.2
LEASE_SECONDS = 30


def test_one_renewal_serves_all_in_every_round(journey: Journey, service: Callable[[Broker], Service]) -> None:
    broker, sandbox = journey()
    broker.start_web(workers=3)
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    # Long enough that every caller comes while the renewal is under way.
    sandbox.set_latency(token=LATENCY_SECONDS)

    found = callers.run(ROUNDS, ask=partial(ask, aalto, connection), expire=partial(expire, broker, connection))

    broker.secrets |= set(found.tokens.values())
    assert not found.wrong, found.wrong[:3]
    assert found.answers[503] <= 0.001 * found.answers.total(), str(found)
    decisions = Counter(entry["decision"] for entry in sandbox.log(endpoint="token"))
    assert decisions == {"issued": 1, "rotated": ROUNDS}
    # The first version is the one that the customer's visit brought.
    assert len(found.tokens) == ROUNDS
    last = aalto.token(connection)
    assert last["access_token"] == found.tokens[max(found.tokens)]
    assert call_provider(last).status_code == 200


def ask(aalto: Service, connection: str) -> httpx2.Response:
    return aalto.http.get(f"/connections/{connection}/token")


def expire(broker: Broker, connection: str) -> None:
    broker.rows(
        "UPDATE tenants_credential SET issued_at = now() - interval '1 hour', expires_at = now() - interval '1 second' "
        "WHERE connection_id = %s",
        connection,
    )


def test_a_storm_while_the_provider_is_down_asks_it_once_a_step(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    broker, sandbox = journey()
    broker.start_web(workers=3)
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    expire(broker, connection)
    sandbox.fault("token", "status", status=503, retry_after=30, times=100)
    with ThreadPoolExecutor(max_workers=callers.CALLERS) as crowd:
        answers = list(crowd.map(lambda _: ask(aalto, connection), range(4 * callers.CALLERS)))
    assert Counter(answer.json()["code"] for answer in answers) == {"provider_unavailable": len(answers)}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 30 for answer in answers)
    assert [entry["decision"] for entry in sandbox.log(endpoint="token")].count("issued") == 1
    assert len(sandbox.log(endpoint="token")) == 2


def test_a_web_process_that_is_killed_while_it_renews_holds_nobody_up(
    journey: Journey, service: Callable[[Broker], Service]
) -> None:
    broker, sandbox = journey(sandbox=("--grace-seconds", "60"), RENEWAL_POLL_SECONDS=0.5)
    web, workers = broker.start_web(), Workers(broker)
    workers.worker("reaper")
    workers.wait_ready()
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    sandbox.fault("token", "stall", seconds=2.5, after=True)
    expire(broker, connection)
    with ThreadPoolExecutor(max_workers=1) as crowd:
        asked = crowd.submit(ask, aalto, connection)
        wait_until(lambda: sandbox.log(endpoint="token")[-1]["decision"] == "rotated", "a stalled renewal", 10)
        workers.kill(web)
        assert isinstance(asked.exception(), httpx2.HTTPError)
    broker.start_web()
    # The lease would have lasted for half a minute.
    wait_until(lambda: ask(aalto, connection).status_code == 200, "a token again", LEASE_SECONDS - 10)
    assert [entry["decision"] for entry in sandbox.log(endpoint="token")] == ["issued", "rotated", "rotated"]
    assert call_provider(aalto.token(connection)).status_code == 200


def test_a_report_that_meets_a_renewal_gets_its_answer(journey: Journey, service: Callable[[Broker], Service]) -> None:
    """The renewal under way ends in a refusal that is not yet believed: the report is what confirms it."""
    # Tokens that are never good enough, so that every call for one renews.
    broker, sandbox = journey(sandbox=("--access-token-seconds", "1"))
    broker.start_web()
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    sandbox.change_password()
    sandbox.fault("token", "stall", seconds=1.5)
    with ThreadPoolExecutor(max_workers=1) as caller:
        renewing = caller.submit(aalto.http.get, f"/connections/{connection}/token")
        wait_until(lambda: sandbox.log(endpoint="token")[-1]["fault"] == "stall", "a renewal under way", 10)
        verdict = aalto.feedback(connection, 1)
        assert renewing.result().status_code in (409, 503)
    assert (verdict["verdict"], verdict["reason"]) == ("confirmed_dead", "grant_revoked")
    assert [one["decision"] for one in sandbox.log(endpoint="token")[1:]] == ["invalid_grant"] * 2
