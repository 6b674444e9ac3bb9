"""Many callers meet one token that has ended: one request to the provider, the new token for all."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx2

from tests.fakes.broker import Broker, wait_until
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.service import Service, call_provider

CALLERS = 32
TOKEN_SECONDS = 2
NEXT_TOKEN_SECONDS = 600


def test_one_renewal_serves_all(journey: Journey, service: Callable[[Broker], Service]) -> None:
    broker, sandbox = journey(sandbox=("--access-token-seconds", str(TOKEN_SECONDS)))
    broker.start_web(workers=2)
    aalto = service(broker)
    connection = customer.connect_new(broker, aalto)
    old = aalto.token(connection, min_ttl=0)
    wait_until(lambda: call_provider(old).status_code == 401, "the token to end", TOKEN_SECONDS + 5)
    sandbox.update_client(access_token_seconds=NEXT_TOKEN_SECONDS)
    # Long enough that every caller comes while the renewal is under way.
    sandbox.set_latency(token=1.0)

    answers = ask_together(aalto, connection)

    renewals = [entry for entry in sandbox.log(endpoint="token") if entry["decision"] != "issued"]
    assert [entry["decision"] for entry in renewals] == ["rotated"]
    served = [answer.json() for answer in answers if answer.status_code == 200]
    tokens = {one["access_token"] for one in served}
    broker.secrets |= tokens
    assert len(tokens) == 1
    assert tokens != {old["access_token"]}
    assert call_provider(served[0]).status_code == 200
    late = [answer for answer in answers if answer.status_code != 200]
    assert Counter(answer.status_code for answer in late) in ({}, {503: len(late)})
    assert all(answer.headers.get("Retry-After") for answer in late)
    assert len(late) <= 1, [answer.text for answer in late]


def ask_together(aalto: Service, connection: str) -> list[httpx2.Response]:
    barrier = Barrier(CALLERS)

    def ask(_: int) -> httpx2.Response:
        barrier.wait(timeout=20)
        return aalto.http.get(f"/connections/{connection}/token")

    with ThreadPoolExecutor(max_workers=CALLERS) as callers:
        return list(callers.map(ask, range(CALLERS)))


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
