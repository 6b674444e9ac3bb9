"""Fixtures of the tests of surfaces."""

from collections.abc import Iterator

import pytest

from broker.services import decision_log, rate_limits
from broker.services.known_keys import known_keys
from broker.services.strangers import strangers
from tenants.querysets import own_connection
from tests.broker.managing import manage

__all__ = ["manage"]


@pytest.fixture(autouse=True)
def _no_memory_of_callers() -> Iterator[None]:
    """Budgets and standings of one test are not the next one's."""
    yield
    for log in (decision_log.of_callers, decision_log.of_strangers, decision_log.of_the_database):
        log.forget()
    strangers.forget()
    known_keys.forget()
    own_connection.leave()
    rate_limits.note(None)
