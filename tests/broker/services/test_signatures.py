"""What was signed waits in memory for a moment: it is bounded, and a database that is away loses nothing."""

import datetime as dt
import uuid

import pytest
from django.db import DatabaseError
from django.db import connection as database

from broker.services.signatures import MOST_IN_ONE, Request, SignatureLog, Signed
from tenants.models import AuditEvent
from tenants.querysets.rows import database_now
from tests.broker.services.renewing import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
MISSING = "ALTER TABLE tenants_auditevent RENAME TO away"
BACK = "ALTER TABLE away RENAME TO tenants_auditevent"


AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def signed(
    name: str,
    *,
    connection: int = 2,
    caller: str = "invoicing",
    source: str = "10.0.0.7",
    key_id: str = "k1",
    at: dt.datetime = AT,
) -> Signed:
    request = Request(name, "GET", "api.example", at)
    return Signed(uuid.UUID(int=1), uuid.UUID(int=connection), caller, request, key_id, source)


def quiet(full: int) -> SignatureLog:
    """A log that writes only when it is told to, or full."""
    return SignatureLog(full=full, flush_seconds=3600)


def written() -> list[str]:
    events = AuditEvent.objects.order_by("id")
    return [request["transaction_id"] for event in events for request in event.detail["requests"]]


@pytest.fixture
def away():
    """The table is away, as it would be in a database that takes no writes."""

    def run(sql):
        with database.cursor() as cursor:
            cursor.execute(sql)

    run(MISSING)
    state = {"away": True}

    def back():
        if state.pop("away", None):
            run(BACK)

    yield back
    back()


def test_entries_are_written_in_order_and_once():
    log = quiet(100)
    for number in range(3):
        log.add(signed(f"t{number}"))
    log.flush()
    log.flush()
    assert written() == ["t0", "t1", "t2"]
    event = AuditEvent.objects.get()
    assert (event.action, event.actor_kind, event.actor) == ("request.signed", "caller", "invoicing")
    assert (event.source, event.detail["key_id"]) == ("10.0.0.7", "k1")


def test_the_time_is_that_of_the_signature_unless_it_waited_for_long():
    log, now = quiet(100), database_now()
    log.add(signed("just now", at=now))
    log.add(signed("long ago", connection=3, at=now - dt.timedelta(hours=2)))
    log.flush()
    times = dict(AuditEvent.objects.values_list("connection_id", "at"))
    assert times[uuid.UUID(int=2)] == now
    assert abs(times[uuid.UUID(int=3)] - now) < dt.timedelta(minutes=2), "a day that is closed does not grow"
    assert AuditEvent.objects.get(connection_id=uuid.UUID(int=3)).detail["requests"][0]["at"] < now.isoformat()


def test_one_event_for_each_connection_and_caller_and_none_without_end():
    log = quiet(1000)
    for number in range(MOST_IN_ONE + 1):
        log.add(signed(f"t{number}"))
    log.add(signed("other connection", connection=3))
    log.add(signed("other caller", caller="payroll"))
    log.add(signed("other source", source="10.0.0.8"))
    log.add(signed("other key", key_id="k2"))
    log.flush()
    events = [
        (event.connection_id.int, event.actor, len(event.detail["requests"])) for event in AuditEvent.objects.all()
    ]
    assert sorted(events) == [
        (2, "invoicing", 1),
        (2, "invoicing", 1),
        (2, "invoicing", 1),
        (2, "invoicing", MOST_IN_ONE),
        (2, "payroll", 1),
        (3, "invoicing", 1),
    ]


def test_whoever_finds_it_full_makes_room():
    log = quiet(5)
    for number in range(6):
        log.add(signed(f"t{number}"))
    assert written() == ["t0", "t1", "t2", "t3", "t4"]
    log.flush()
    assert len(written()) == 6


def test_many_at_once_lose_nothing():
    log = quiet(7)
    in_threads(20, lambda: [log.add(signed(str(uuid.uuid4()))) for _ in range(10)])
    log.flush()
    assert len(set(written())) == 200


def test_what_cannot_be_written_is_kept_for_next_time(away):
    log = quiet(100)
    log.add(signed("t0"))
    log.flush()
    log.add(signed("t1"))
    away()
    log.flush()
    assert written() == ["t0", "t1"]


def test_what_can_neither_be_kept_nor_written_is_not_signed(away):
    log = quiet(2)
    log.add(signed("t0"))
    log.add(signed("t1"))
    with pytest.raises(DatabaseError):
        log.add(signed("t2"))
    away()
    log.flush()
    assert written() == ["t0", "t1"]
