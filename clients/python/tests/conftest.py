"""The broker and the provider, as small servers."""

from collections.abc import Iterator

import pytest
from callers import ALL, KEY, Call
from fake_server import Server
from token_broker import TokenBroker


@pytest.fixture
def server() -> Iterator[Server]:
    """The broker."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def vendor() -> Iterator[Server]:
    """The provider's API."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def broker(server: Server) -> Iterator[TokenBroker]:
    with TokenBroker(server.url, KEY, trust_env=False, verify=False, timeout=5) as made:
        yield made


@pytest.fixture(params=ALL)
def call(request: pytest.FixtureRequest) -> Call:
    """Each library, with threads and with tasks."""
    return ALL[request.param]
