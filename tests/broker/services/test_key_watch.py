"""A key that reads far more than it may, or than is usual for it: seen, throttled, told, and nobody else touched."""

import logging
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from broker.services import enrolment, key_watch
from broker.services.enrolment import Rights
from tenants.models import ApiKey, AuditEvent, Caller, IssueCount, OutboxEvent
from tests.people import STAFF

# Well inside an hour, on a day of its own: nothing here looks at the clock.
NOW = datetime(2026, 3, 10, 12, 40, tzinfo=UTC)
TENANT = uuid.UUID(int=1)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    key_watch._passed.clear()


@pytest.fixture
def caller(db: None) -> Caller:
    return enrolment.create_caller_without_key("svc", Rights(tenants=None, operations=["token.read"]), actor=STAFF)


def new_key() -> ApiKey:
    row, _ = enrolment.create_key("svc", expires_days=30, actor=STAFF)
    ApiKey.objects.filter(pk=row.pk).update(last_used_at=NOW)
    return row


@pytest.fixture
def key(caller: Caller) -> ApiKey:
    return new_key()


def read(key: ApiKey, count: int, at: datetime, *, first: int = 0) -> None:
    """Let a key have read so many different connections, counting from `first`."""
    IssueCount.objects.bulk_create(
        IssueCount(
            connection_id=uuid.UUID(int=first + n),
            tenant_id=TENANT,
            caller_id=key.caller_id,
            key_id=key.key_id,
            version=1,
            hour=at.replace(minute=0, second=0),
            reads=3,
            first_at=at,
            last_at=at,
        )
        for n in range(count)
    )


def usually(key: ApiKey, count: int, *, days: float = 3) -> None:
    for hour in range(2, int(days * 24)):
        read(key, count, NOW - timedelta(hours=hour))


def throttled(key: ApiKey) -> datetime | None:
    return ApiKey.objects.get(pk=key.pk).throttled_until


def test_ten_times_the_usual_is_throttled_for_an_hour_and_told_once(key, caller, caplog):
    other = new_key()
    for each in (key, other):
        usually(each, 10)
    read(key, 100, NOW)
    read(other, 99, NOW)
    with caplog.at_level(logging.WARNING):
        assert key_watch.watch(NOW) == [key.key_id]
        assert key_watch.watch(NOW) == []
    assert (throttled(key), throttled(other)) == (NOW + timedelta(hours=1), None)
    told = {"caller": "svc", "key_id": key.key_id, "connections": 100, "allowed": 99}
    until = "2026-03-10T13:40:00+00:00"
    event = OutboxEvent.objects.get()
    assert (event.type, event.tenant_id, event.payload) == ("caller.throttled", None, {**told, "until": until})
    record = AuditEvent.objects.get(action="caller.throttled")
    assert (record.actor_kind, record.detail) == ("system", {**told, "until": until})
    assert [(each.key_id, each.count) for each in caplog.records] == [(key.key_id, 100)]


def test_the_last_sixty_minutes_count_and_not_the_hour_on_the_clock(key):
    usually(key, 10)
    # Half before the hour struck, half after.
    read(key, 60, NOW - timedelta(minutes=55))
    read(key, 40, NOW, first=60)
    assert key_watch.watch(NOW) == [key.key_id]


def test_what_was_read_more_than_an_hour_ago_is_forgotten(key):
    usually(key, 10)
    read(key, 60, NOW - timedelta(minutes=65))
    read(key, 60, NOW, first=60)
    assert key_watch.watch(NOW) == []


def test_the_same_connections_over_and_over_are_no_theft(key):
    usually(key, 10)
    read(key, 60, NOW)
    read(key, 60, NOW - timedelta(minutes=50))
    assert key_watch.watch(NOW) == []


def test_few_connections_drain_nothing(key):
    usually(key, 1)
    read(key, 50, NOW)
    assert key_watch.watch(NOW) == []
    read(key, 1, NOW, first=50)
    assert key_watch.watch(NOW) == [key.key_id]


def test_a_nightly_job_that_reads_everything_is_usual(key):
    usually(key, 10)
    for night in (1, 2):
        read(key, 400, NOW - timedelta(days=night, minutes=30), first=1000)
    read(key, 450, NOW, first=1000)
    assert key_watch.watch(NOW) == []
    read(key, 371, NOW, first=2000)
    assert key_watch.watch(NOW) == [key.key_id]


def test_a_new_caller_has_a_day_and_a_new_key_has_its_caller_s_history(key, caller):
    usually(key, 10, days=0.9)
    read(key, 500, NOW)
    assert key_watch.watch(NOW) == []
    read(key, 10, NOW - timedelta(hours=60))
    key_watch._passed.clear()
    replaced = new_key()
    read(replaced, 500, NOW)
    assert key_watch.watch(NOW) == sorted([key.key_id, replaced.key_id])


def test_a_key_that_rested_for_weeks_goes_by_what_it_did_before(key):
    for hour in range(30):
        read(key, 100, NOW - timedelta(days=30, hours=hour))
    read(key, 900, NOW)
    assert key_watch.watch(NOW) == []
    read(key, 100, NOW, first=900)
    assert key_watch.watch(NOW) == [key.key_id]


def test_a_budget_goes_before_what_is_usual_and_holds_from_the_first_day(key):
    enrolment.change_caller("svc", replace(enrolment.rights_of("svc"), connections_per_hour=20), actor=STAFF)
    read(key, 20, NOW)
    assert key_watch.watch(NOW) == []
    read(key, 1, NOW, first=20)
    assert key_watch.watch(NOW) == [key.key_id]


def test_lifted_it_reads_on_and_is_counted_anew(key):
    enrolment.change_caller("svc", replace(enrolment.rights_of("svc"), connections_per_hour=20), actor=STAFF)
    read(key, 30, NOW)
    assert key_watch.watch(NOW) == [key.key_id]
    # The service asks the database's clock, this test has one of its own.
    ApiKey.objects.update(throttled_until=NOW)
    later = NOW + timedelta(minutes=1)
    assert key_watch.watch(later) == []
    read(key, 21, later, first=30)
    assert key_watch.watch(later) == [key.key_id]


def test_a_key_that_is_not_in_use_costs_nothing(key):
    usually(key, 10)
    read(key, 500, NOW)
    ApiKey.objects.update(last_used_at=NOW - timedelta(minutes=3))
    assert key_watch.watch(NOW) == []


def test_one_that_cannot_be_counted_leaves_the_others_watched(transactional_db, key, caller, caplog):
    others = sorted([key, new_key()], key=lambda each: each.key_id)
    for each in others:
        read(each, 500, NOW)
    usually(others[1], 10)
    usually(others[0], 10)

    def slow(execute, sql, parameters, many, context):
        if "interval '1 hour'" in sql and parameters["key"] == others[0].key_id:
            sql = f"SELECT pg_sleep(1) FROM ({sql}) AS slow"
        return execute(sql, parameters, many, context)

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '300ms'")
    try:
        with connection.execute_wrapper(slow), caplog.at_level(logging.ERROR):
            assert key_watch.watch(NOW) == [others[1].key_id]
    finally:
        connection.close()
    assert [record.key_id for record in caplog.records] == [others[0].key_id]
