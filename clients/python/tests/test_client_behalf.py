"""For whom the broker is asked."""

import asyncio

import pytest
from callers import KEY
from fake_server import Server, token
from token_broker import AsyncTokenBroker, TokenBroker, on_behalf_of

PATH = "/v1/tenants/acme/providers/{}/token"


def users(server: Server) -> list[str | None]:
    return [one.headers.get("on-behalf-of") for one in server.seen]


def test_what_is_asked_within_is_asked_for_the_user_and_nothing_after_it(server: Server, broker: TokenBroker) -> None:
    for provider in ("a", "b", "c"):
        server.on(PATH.format(provider), token(server.url))
    with on_behalf_of("user-1"):
        broker.token("acme", "a")
        with on_behalf_of("user-2"):
            broker.token("acme", "b")
        broker.token("acme", "a")
    broker.token("acme", "c")
    assert users(server) == ["user-1", "user-2", None]


def test_tasks_of_two_users_do_not_mix(server: Server) -> None:
    for provider in ("a", "b"):
        server.on(PATH.format(provider), token(server.url))

    async def ask(broker: AsyncTokenBroker, user: str, provider: str) -> None:
        with on_behalf_of(user):
            await asyncio.sleep(0)
            await broker.token("acme", provider)

    async def both() -> None:
        async with AsyncTokenBroker(server.url, KEY, trust_env=False) as broker:
            await asyncio.gather(ask(broker, "user-1", "a"), ask(broker, "user-2", "b"))

    asyncio.run(both())
    assert {one.path: one.headers.get("on-behalf-of") for one in server.seen} == {
        PATH.format("a"): "user-1",
        PATH.format("b"): "user-2",
    }


@pytest.mark.parametrize("user", ["", "two words", "line\r\nX-Broken: 1", "käyttäjä", "x" * 65])
def test_what_is_no_id_is_refused_before_anything_is_sent(user: str) -> None:
    with pytest.raises(ValueError, match="64 visible ASCII"), on_behalf_of(user):
        pass
