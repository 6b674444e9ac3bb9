"""One request to the provider, as each kind of service makes it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import requests
from token_broker import AsyncTokenBroker, TokenBroker

KEY = "brk_test_0123456789ab_canary-api-key_0"


PLACE = {"tenant": "acme", "provider": "visma-eaccounting"}
PATH = "/v1/tenants/acme/providers/visma-eaccounting"


@dataclass
class Got:
    status: int
    text: str
    requests: int


# (broker url, place and options of auth, method, url, and what the library takes) -> Got
Call = Callable[..., Got]


def by_httpx(url: str, place: Mapping[str, Any], method: str, target: str, **more: Any) -> Got:
    with TokenBroker(url, KEY, trust_env=False, verify=False, timeout=5) as broker:
        with httpx.Client(trust_env=False, verify=False, auth=broker.auth(**place), follow_redirects=True) as client:
            answer = client.request(method, target, **more)
            return Got(answer.status_code, answer.text, 1 + len(answer.history))


def by_httpx_with_tasks(url: str, place: Mapping[str, Any], method: str, target: str, **more: Any) -> Got:
    async def call() -> Got:
        async with AsyncTokenBroker(url, KEY, trust_env=False, verify=False, timeout=5) as broker:
            return await asked(broker, place, method, target, **more)

    return asyncio.run(call())


def by_httpx_with_tasks_and_threads(url: str, place: Mapping[str, Any], method: str, target: str, **more: Any) -> Got:
    with TokenBroker(url, KEY, trust_env=False, verify=False, timeout=5) as broker:
        return asyncio.run(asked(broker, place, method, target, **more))


async def asked(
    broker: TokenBroker | AsyncTokenBroker, place: Mapping[str, Any], method: str, target: str, **more: Any
) -> Got:
    auth = broker.auth(**place)
    async with httpx.AsyncClient(trust_env=False, verify=False, auth=auth, follow_redirects=True) as client:
        answer = await client.request(method, target, **more)
        return Got(answer.status_code, answer.text, 1 + len(answer.history))


def by_requests(url: str, place: Mapping[str, Any], method: str, target: str, **more: Any) -> Got:
    more = {"data" if name == "content" else name: value for name, value in more.items()}
    with TokenBroker(url, KEY, trust_env=False, verify=False, timeout=5) as broker, requests.Session() as session:
        session.trust_env = False
        session.auth = broker.auth(**place)
        answer = session.request(method, target, **more)
        return Got(answer.status_code, answer.text, 1 + len(answer.history))


ALL: dict[str, Call] = {
    "httpx": by_httpx,
    "httpx with tasks": by_httpx_with_tasks,
    "httpx with tasks, broker with threads": by_httpx_with_tasks_and_threads,
    "requests": by_requests,
}


def one_shot() -> Iterator[bytes]:
    yield b"all "
    yield b"there is"


async def one_shot_later() -> AsyncIterator[bytes]:
    for part in one_shot():
        yield part


def stream_for(call: Call) -> object:
    return one_shot() if call in (ALL["httpx"], ALL["requests"]) else one_shot_later()
