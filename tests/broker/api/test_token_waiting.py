"""`Prefer: wait` and `X-Request-Deadline`: how long a caller waits for a token that has to be renewed first."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from broker.api.hot import seconds_until, wait_of
from broker.errors import InvalidRequest
from tests.broker.api.test_token import age, path


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=10", 10),
        ("WAIT = 3", 3),
        ('respond-async, wait="7"', 7),
        ("wait=0; foo=bar, handling=lenient", 0),
        ("wait=2, wait=9", 2),
        ("", None),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=1e3", None),
        ("wait=٣", None),
        ("wait=9999999999", None),
        ("await=5", None),
        ("foo=bar wait=5", None),
        ("wait=5 seconds", None),
    ],
)
def test_it_is_read_as_the_standard_says_and_else_ignored(header, seconds):
    assert wait_of({"HTTP_PREFER": header}) == seconds


def test_without_it_nothing_is_said():
    assert wait_of({}) is None


NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [
        ("2026-03-02T09:15:07Z", 7),
        ("2026-03-02t09:15:00.250z", 0.25),
        ("2026-03-02T11:15:07+02:00", 7),
        ("2026-03-02T09:15:00.000000001Z", 0),
        ("2026-03-02T09:15:00Z", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+14:00", 0),
    ],
)
def test_a_deadline_is_an_instant(deadline, seconds):
    assert seconds_until(deadline, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "5",
        "2026-03-02",
        "2026-03-02T09:15:00",
        "2026-03-02 09:15:00Z",
        "2026-W10-1T09:15:00Z",
        "2026-02-30T09:15:00Z",
        "2026-03-02T09:15:61Z",
        "2026-03-02T09:15:00+99:00",
        "٢٠٢٦-03-02T09:15:00Z",
    ],
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(InvalidRequest, match="X-Request-Deadline"):
        wait_of({"HTTP_X_REQUEST_DEADLINE": text})


def test_the_shorter_one_counts():
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    assert wait_of({"HTTP_X_REQUEST_DEADLINE": soon, "HTTP_PREFER": "wait=3"}) == 3
    assert 25 < wait_of({"HTTP_X_REQUEST_DEADLINE": soon, "HTTP_PREFER": "wait=300"}) <= 30
    assert 25 < wait_of({"HTTP_X_REQUEST_DEADLINE": soon}) <= 30


@pytest.mark.parametrize(
    "hurry",
    [{"HTTP_PREFER": "wait=0"}, {"HTTP_X_REQUEST_DEADLINE": "2026-01-01T00:00:00Z"}],
    ids=["no time", "a deadline that has passed"],
)
@pytest.mark.parametrize("more", ["", "?min_ttl=60"])
def test_a_caller_who_does_not_wait_is_told_when_to_come_back(connect, settled, call, local_provider, more, hurry):
    connection = connect()
    age(connection, seconds_left=-5)
    local_provider.set_latency(token=2.5)
    start = time.monotonic()
    answer = call("GET", path(connection) + more, settled.aalto_key, **hurry)
    assert time.monotonic() - start < 2.2
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "renewal_in_progress", "1")
    later = call("GET", path(connection) + more, settled.aalto_key)
    assert later.status_code == 200
    assert [entry["decision"] for entry in local_provider.log(endpoint="token")[1:]] == ["rotated"]
