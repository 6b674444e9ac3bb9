"""The sandbox's own tests talk to the real process over HTTP."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess, plain_client, sandbox, sandbox_process
from tests.sandbox.client import Client, browser

__all__ = ["client", "sandbox", "sandbox_process"]


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[Client]:
    """The seeded client registration, with a browser that nobody has used."""
    with browser() as http:
        yield Client(sandbox, http)


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    """A client without a past."""
    with plain_client() as fresh:
        yield fresh
