"""A key that was read a moment ago is not read again, for a second and for itself alone."""

import zlib
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker import errors
from broker.services import admission, callers, issue
from broker.services.callers import parse
from broker.services.known_keys import KnownKeys
from tenants.models import ApiKey, Caller, Operation
from tenants.querysets import hand_out, own_connection
from tenants.querysets.hand_out import Named


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(admission, "known_keys", KnownKeys(clock))
    return clock


@pytest.fixture
def ask(connect, settled, clock):
    """Asks for a token by id and by name; returns "token", or the error's code."""
    connection = connect()
    named = [Named(connection.id), Named(None, settled.aalto.slug, connection.provider_id)]

    def once(key: str, which: Named) -> str:
        try:
            issue.issue_access_token(parse(f"Bearer {key}"), partial(hand_out.for_token, named=which))
        except errors.BrokerError as error:
            return error.code
        return "token"

    return lambda key=settled.aalto_key: {once(key, which) for which in named}


@pytest.fixture
def looked(ask, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[bool]]:
    """Asks, and tells which of the queries looked at the key's table."""
    sent: list[str] = []
    send = own_connection.row
    monkeypatch.setattr(own_connection, "row", lambda sql, given: (sent.append(sql), send(sql, given))[1])

    def asking() -> list[bool]:
        sent.clear()
        with CaptureQueriesContext(database) as queries:
            assert ask() == {"token"}
        assert len(queries) == len(sent)
        return ["tenants_apikey" in sql for sql in sent]

    return asking


def test_it_is_read_once_in_a_second_and_each_time_one_query_is_all(looked, clock):
    assert looked() == [True, False]
    clock.now += 0.9
    assert looked() == [False, False]
    clock.now += 0.2
    assert looked() == [True, False]


def test_not_at_all_where_nothing_is_to_be_trusted(looked, settings):
    settings.KEY_TRUSTED_SECONDS = 0
    assert looked() == [True, True]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda: ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z"), "unauthenticated"),
        (lambda: Caller.objects.update(active=False), "unauthenticated"),
        (lambda: Caller.objects.update(operations=[Operation.CONNECTION_READ]), "forbidden"),
        (lambda: ApiKey.objects.update(networks=["192.0.2.0/24"]), "source_not_allowed"),
    ],
    ids=["revoked", "caller switched off", "operation taken", "network taken"],
)
def test_a_change_holds_after_that_second(ask, clock, change, code):
    assert ask() == {"token"}
    change()
    assert ask() == {"token"}
    clock.now += 1.0
    assert ask() == {code}


def test_a_tenant_that_is_taken_away_is_gone_at_once(ask):
    assert ask() == {"token"}
    for caller in Caller.objects.all():
        caller.tenants.clear()
    assert ask() == {"connection_not_found"}


def test_nobody_comes_in_with_another_s_key_id(ask, settled):
    assert ask() == {"token"}
    other, key = callers.create_key(Caller.objects.first(), expires_days=1)
    theirs = settled.aalto_key.split("_")[2]
    assert hand_out.for_key(theirs) is not None
    assert ask(mixed(key, other.key_id, theirs)) == {"unauthenticated"}


def mixed(key: str, own: str, theirs: str) -> str:
    """A well-formed key of one's id and another's secret."""
    body = key.rpartition("_")[0].replace(own, theirs)
    return f"{body}_{zlib.crc32(body.encode()):08x}"


def test_one_that_is_revoked_or_throttled_is_never_trusted(ask, clock):
    ApiKey.objects.update(throttled_until="2099-01-01T00:00:00Z")
    assert ask() == {"caller_throttled"}
    ApiKey.objects.update(throttled_until=None)
    assert ask() == {"token"}, "lifted at once"
