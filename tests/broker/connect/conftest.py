"""A customer, links for Aalto, and a translation cache that no test leaves behind."""

from collections.abc import Callable
from typing import Any

import pytest

from broker.services import sessions
from broker.services.sessions import Link
from tests import people
from tests.broker.connect.customer import Customer


@pytest.fixture
def customer() -> Customer:
    return Customer()


@pytest.fixture
def make_link(settled: people.People) -> Callable[..., Link]:
    """Makes a connect link for Aalto, with a return URL unless told otherwise."""

    def make(providers: list[str] | None = None, **fields: Any) -> Link:
        given = {"return_url": people.RETURN_URL, "actor": people.STAFF, **fields}
        return sessions.create(settled.aalto, providers or [people.PROVIDER], **given)

    return make
