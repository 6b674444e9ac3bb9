"""What callers are told of faults that nobody foresaw, and what operators read of them."""

import logging

import pytest
from django.db import DataError, IntegrityError, InterfaceError, OperationalError

from broker.errors import BrokerUnavailable, InternalError
from broker.services import decision_log, faults
from broker.services.decision_log import DecisionLog


@pytest.fixture
def log(monkeypatch):
    """As of a process that has met none yet, its clock standing still."""
    kept = decision_log.of_the_database
    monkeypatch.setattr(
        decision_log,
        "of_the_database",
        DecisionLog(kept._per_second, lambda: 0.0, event=kept._event, level=kept._level),
    )


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_worth_asking_again(log, caplog, kind):
    told = faults.told_of(kind("password=of-the-database"), connection_id="some-id")
    assert (type(told), told.status, told.retryable, told.retry_after) == (BrokerUnavailable, 503, True, 1)
    (record,) = caplog.records
    assert (record.levelno, record.message, record.exc_info) == (logging.WARNING, "the database does not answer", None)
    assert (record.error, record.connection_id) == (kind.__name__, "some-id")


@pytest.mark.parametrize("kind", [DataError, IntegrityError, ValueError, KeyError])
def test_anything_else_is_a_fault_of_ours(log, caplog, kind):
    assert type(faults.told_of(kind("what"))) is InternalError
    (record,) = caplog.records
    assert (record.levelno, record.message) == (logging.ERROR, "unhandled fault")
    assert record.exc_info


def test_a_thousand_requests_are_a_few_lines(log, caplog):
    for _ in range(1000):
        assert isinstance(faults.told_of(OperationalError()), BrokerUnavailable)
    assert len(caplog.records) == 5
