"""`Prefer: wait`: how long a caller is ready to wait for a token that has to be renewed first."""

import time

import pytest
from django.test import RequestFactory

from broker.api.hot import wait_of
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
    assert wait_of(RequestFactory().get("/", HTTP_PREFER=header)) == seconds


def test_without_it_nothing_is_said():
    assert wait_of(RequestFactory().get("/")) is None


@pytest.mark.parametrize("more", ["", "?min_ttl=60"])
def test_a_caller_who_does_not_wait_is_told_when_to_come_back(connect, settled, call, local_provider, more):
    connection = connect()
    age(connection, seconds_left=-5)
    local_provider.set_latency(token=1.0)
    start = time.monotonic()
    answer = call("GET", path(connection) + more, settled.aalto_key, HTTP_PREFER="wait=0")
    assert time.monotonic() - start < 0.9
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "renewal_in_progress", "1")
    later = call("GET", path(connection) + more, settled.aalto_key)
    assert later.status_code == 200
    assert [entry["decision"] for entry in local_provider.log(endpoint="token")[1:]] == ["rotated"]
