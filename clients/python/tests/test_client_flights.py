"""Many who ask at once, one request to the broker."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from callers import KEY
from fake_server import Reply, Seen, Server, problem, token
from token_broker import AsyncTokenBroker, ReauthorizationRequired, TokenBroker

PATH = "/v1/tenants/acme/providers/visma-eaccounting/token"
CROWD = 100


def held_back(server: Server, reply: Reply) -> threading.Event:
    """Answer only once the returned event is set."""
    go = threading.Event()

    def answer(_: Seen) -> Reply:
        assert go.wait(10)
        return reply

    server.on(PATH, answer)
    return go


def test_a_hundred_threads_cause_one_request(server: Server, broker: TokenBroker) -> None:
    go = held_back(server, token(server.url))
    together = threading.Barrier(CROWD + 1)

    def ask(_: int) -> int:
        together.wait(10)
        return broker.token("acme", "visma-eaccounting").version

    with ThreadPoolExecutor(CROWD) as pool:
        answers = pool.map(ask, range(CROWD))
        together.wait(10)
        go.set()
        assert list(answers) == [1] * CROWD
    assert len(server.seen) == 1


def test_a_hundred_tasks_cause_one_request(server: Server) -> None:
    go = held_back(server, token(server.url))

    async def story() -> list[int]:
        async with AsyncTokenBroker(server.url, KEY, trust_env=False, verify=False) as broker:
            asking = [asyncio.create_task(broker.token("acme", "visma-eaccounting")) for _ in range(CROWD)]
            await asyncio.sleep(0)
            go.set()
            return [one.version for one in await asyncio.gather(*asking)]

    assert asyncio.run(story()) == [1] * CROWD
    assert len(server.seen) == 1


def test_all_of_them_get_the_refusal_each_with_a_traceback_of_its_own(server: Server, broker: TokenBroker) -> None:
    go = held_back(server, problem("reauthorization_required", 409, connect_url="https://x/canary"))
    together = threading.Barrier(9)

    def ask(_: int) -> Exception:
        together.wait(10)
        with pytest.raises(ReauthorizationRequired) as told:
            broker.token("acme", "visma-eaccounting")
        return told.value

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(ask, range(8))
        together.wait(10)
        threading.Timer(0.2, go.set).start()
        found = list(answers)
    assert len({id(one) for one in found}) == 8
    assert {one.connect_url for one in found} == {"https://x/canary"}
    assert len(server.seen) < 8


def test_a_task_that_is_cancelled_hands_over_to_another(server: Server) -> None:
    go = held_back(server, token(server.url))

    async def story() -> int:
        async with AsyncTokenBroker(server.url, KEY, trust_env=False, verify=False) as broker:
            first = asyncio.create_task(broker.token("acme", "visma-eaccounting"))
            second = asyncio.create_task(broker.token("acme", "visma-eaccounting"))
            await until(lambda: len(server.seen) == 1)
            first.cancel()
            await until(first.done)
            go.set()
            return (await second).version

    assert asyncio.run(story()) == 1
    assert len(server.seen) == 2


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


def test_whoever_waits_for_another_has_an_own_deadline(server: Server, broker: TokenBroker) -> None:
    go = held_back(server, token(server.url))
    leading = threading.Thread(target=lambda: broker.token("acme", "visma-eaccounting"))
    leading.start()
    try:
        with pytest.raises(Exception, match="another thread"):
            # The leader has sent its request before this one asks, or this one leads and is late itself.
            wait_for(server)
            broker.token("acme", "visma-eaccounting", timeout=0.1)
    finally:
        go.set()
        leading.join()
    assert len(server.seen) == 1


def wait_for(server: Server) -> None:
    deadline = threading.Event()
    while not server.seen:
        assert not deadline.wait(0.005)
