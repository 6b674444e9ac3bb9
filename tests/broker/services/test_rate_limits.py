"""One limit a caller and minute, over all web processes, without asking anybody on the request's path."""

import threading
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet

from broker.services import rate_limits
from broker.services.rate_limits import Limiter, Standing
from tenants.models import CallerMinute
from tenants.querysets import caller_minutes

# Other tests' callers leave rows: what a process counted is committed apart from a test's transaction.
CALLER, OTHER = UUID(int=1), UUID(int=2)
MINUTE = 1_800_000_000


def _rows() -> QuerySet[CallerMinute]:
    return CallerMinute.objects.filter(caller_id=CALLER)


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def limiter(monkeypatch: pytest.MonkeyPatch) -> Limiter:
    """A limiter that shares only when it is told to."""
    monkeypatch.setattr(Limiter, "_round", lambda self: None)
    return Limiter(Clock(MINUTE + 15))


def test_what_is_left_goes_down_and_then_is_refused(limiter):
    assert limiter.take(CALLER, 2) == Standing(2, 1, 45)
    assert limiter.take(CALLER, 2) == Standing(2, 0, 45)
    assert limiter.take(CALLER, 2) == Standing(2, 0, 45, refused=True)
    assert not limiter.take(OTHER, 2).refused


def test_a_batch_is_taken_whole_or_not_at_all(limiter):
    assert limiter.take(CALLER, 100, 60).remaining == 40
    assert limiter.take(CALLER, 100, 60).refused
    assert limiter.take(CALLER, 100, 40).remaining == 0


def test_the_next_minute_begins_anew(limiter):
    limiter.take(CALLER, 1)
    limiter._clock.now += 45
    assert limiter.take(CALLER, 1) == Standing(1, 0, 60)


def test_without_a_limit_of_its_own_the_setting_s_holds(limiter, settings):
    settings.CALLER_RATE_PER_MINUTE = 7
    assert limiter.take(CALLER, 0).limit == 7


def test_many_threads_together_get_exactly_what_there_is(limiter):
    got: list[bool] = []

    def work() -> None:
        for _ in range(200):
            got.append(not limiter.take(CALLER, 500).refused)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 500


@pytest.mark.django_db
def test_processes_that_told_each_other_keep_one_limit(limiter, monkeypatch):
    second = Limiter(limiter._clock)
    for each in (limiter, second):
        for _ in range(4):
            each.take(CALLER, 10)
        each.share()
    limiter.take(CALLER, 10)
    limiter.share()
    assert limiter.take(CALLER, 10).refused is False
    assert limiter.take(CALLER, 10).refused is True
    assert set(_rows().values_list("used", flat=True)) == {4, 5}


@pytest.mark.django_db
def test_a_process_that_counted_nothing_new_asks_nothing(limiter, django_assert_num_queries):
    limiter.take(CALLER, 10)
    with django_assert_num_queries(1):
        limiter.share()
    with django_assert_num_queries(0):
        limiter.share()


@pytest.mark.django_db
def test_old_minutes_are_forgotten():
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM date_trunc('minute', now()))::int")
        now = cursor.fetchone()[0]
    caller_minutes.exchange(uuid4(), now - 3600, {CALLER: 3})
    caller_minutes.exchange(uuid4(), now, {CALLER: 4})
    assert caller_minutes.forget() >= 1
    assert list(_rows().values_list("used", flat=True)) == [4]


def test_answers_say_where_the_caller_stands():
    rate_limits.note(Standing(100, 99, 7))
    assert dict(rate_limits.headers()) == {
        "RateLimit-Policy": '"caller";q=100;w=60',
        "RateLimit": '"caller";r=99;t=7',
    }
    rate_limits.note(None)
    assert rate_limits.headers() == ()
