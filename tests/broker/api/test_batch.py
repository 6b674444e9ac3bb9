"""POST /v1/tokens: many tokens at once, a verdict for each."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection as database
from django.db import connections
from django.test.utils import CaptureQueriesContext

from broker.services import counts, issue
from tenants.models import ApiKey, Caller, Connection, IssueCount, State
from tests import people
from tests.broker.api.test_token import age, path

TOKENS = "/v1/tokens"


def by_id(*connections, **more) -> dict:
    return {"requests": [{"connection": str(getattr(one, "id", one)), **more} for one in connections]}


def results(answer) -> list[dict]:
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_each_is_answered_as_the_single_route_answers_it(connect, settled, call):
    first, second = connect(), connect(username="ben@books.example")
    answered = results(call("POST", TOKENS, settled.aalto_key, by_id(second, first, second)))
    assert [one["connection"] for one in answered] == [str(second.id), str(first.id), str(second.id)]
    for one, connection in zip(answered, (second, first, second), strict=True):
        assert one["status"] == 200
        assert one["token"] == call("GET", path(connection), settled.aalto_key).json()


def test_by_tenant_provider_and_label_as_well(connect, settled, call):
    connection = connect()
    Connection.objects.filter(pk=connection.pk).update(label="books")
    asked = [
        {"tenant": "aalto", "provider": people.PROVIDER},
        {"connection": str(connection.id)},
        {"tenant": "aalto", "provider": people.PROVIDER, "label": "books"},
        {"tenant": "aalto", "provider": people.PROVIDER, "label": "other"},
        {"tenant": "nobody", "provider": people.PROVIDER},
    ]
    answered = results(call("POST", TOKENS, settled.aalto_key, {"requests": asked}))
    assert [one["status"] for one in answered] == [200, 200, 200, 404, 404]
    assert {one["connection"] for one in answered[:3]} == {str(connection.id)}


def test_a_batch_costs_two_queries_however_long(connect, settled, call):
    connection = connect()
    with CaptureQueriesContext(database) as queries:
        answered = results(call("POST", TOKENS, settled.aalto_key, by_id(*[connection] * 500)))
    assert len(answered) == 500
    assert len(queries) == 2, [query["sql"] for query in queries]


def test_the_foreign_the_absent_and_the_malformed_look_the_same(connect, settled, call):
    mine = connect()
    asked = by_id(mine, uuid.uuid4(), "nonsense")
    mine_too, absent, malformed = results(call("POST", TOKENS, settled.birch_key, asked))
    for one in (mine_too, absent, malformed):
        assert (one["status"], one["problem"]["code"]) == (404, "connection_not_found")
        assert "token" not in one
    assert mine_too["problem"] == absent["problem"] == malformed["problem"]


def test_what_is_not_served_says_why_beside_what_is(connect, settled, call):
    good, dead = connect(), connect(username="ben@books.example")
    Connection.objects.filter(pk=dead.pk).update(state=State.REAUTHORIZATION_REQUIRED, reason="grant_revoked")
    served, refused = results(call("POST", TOKENS, settled.aalto_key, by_id(good, dead)))
    assert served["status"] == 200
    assert (refused["status"], refused["problem"]["code"]) == (409, "reauthorization_required")
    assert refused["problem"]["connect_url"].startswith("http")


@pytest.mark.django_db(transaction=True)
def test_what_has_ended_is_renewed_and_the_rest_is_not(connect, settled, call):
    fresh, ended = connect(), connect(username="ben@books.example")
    before = [call("GET", path(one), settled.aalto_key).json()["version"] for one in (fresh, ended)]
    age(ended, -1)
    answered = results(call("POST", TOKENS, settled.aalto_key, by_id(fresh, ended, ended, min_ttl=120)))
    assert [one["token"]["version"] - before[n > 0] for n, one in enumerate(answered)] == [0, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_whoever_has_no_time_gets_what_is_there_and_a_word_about_the_rest(connect, settled, call):
    fresh, ended = connect(), connect(username="ben@books.example")
    age(ended, -1)
    answer = call("POST", TOKENS, settled.aalto_key, by_id(fresh, ended), HTTP_PREFER="wait=0")
    served, late = results(answer)
    assert served["status"] == 200
    assert (late["status"], late["problem"]["retryable"]) == (503, True)


def test_reads_are_counted(connect, settled, call):
    connection = connect()
    counts.reads.flush()
    IssueCount.objects.all().delete()
    call("POST", TOKENS, settled.aalto_key, by_id(connection, connection, uuid.uuid4()))
    counts.reads.flush()
    assert IssueCount.objects.get().reads == 2


def test_each_token_of_a_batch_is_one_of_the_caller_s_requests(connect, settled, call):
    connection = connect()
    key_id = settled.aalto_key.split("_")[2]
    Caller.objects.filter(pk=ApiKey.objects.get(key_id=key_id).caller_id).update(rate_per_minute=10)
    answer = call("POST", TOKENS, settled.aalto_key, by_id(*[connection] * 7))
    assert answer["RateLimit"].startswith('"caller";r=3;t=')
    refused = call("POST", TOKENS, settled.aalto_key, by_id(*[connection] * 4))
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert call("GET", path(connection), settled.aalto_key).status_code == 200


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"requests": []}, "requests"),
        ({"requests": [{"connection": "x"}] * 501}, "requests"),
        ({"requests": [{}]}, "requests.0"),
        ({"requests": [{"connection": "x"}, {"connection": "x", "tenant": "aalto"}]}, "requests.1"),
        ({"requests": [{"tenant": "aalto"}]}, "requests.0"),
        ({"requests": [{"connection": 3}]}, "requests"),
        ({"requests": [{"connection": "x", "min_ttl": -1}]}, "requests.0.min_ttl"),
        ({"requests": [{"connection": "x", "min_ttl": 10**6}]}, "requests.0.min_ttl"),
        ({"requests": [{"connection": "x", "other": 1}]}, "requests"),
        ({"request": []}, "body"),
        ('{"requests":[', "well-formed"),
        ("[]", "body"),
        ('{"requests":[{"connection":"a","connection":"b"}]}', "repeats"),
        ('{"requests":[{"connection":"a","\\u0063onnection":"b"}]}', "repeats"),
        ('{"requests":[],"requests":[]}', "well-formed"),
        (b"\xff", "well-formed"),
    ],
)
def test_a_body_that_is_not_understood_is_refused_by_its_place(body, place, settled, call):
    answer = call("POST", TOKENS, settled.aalto_key, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert place in answer.json()["detail"]


def test_without_a_key_or_the_right_there_is_nothing(settled, call):
    assert call("POST", TOKENS, None, by_id("x")).status_code == 401
    Caller.objects.update(operations=["connection.read"])
    assert call("POST", TOKENS, settled.aalto_key, by_id("x")).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_many_batches_at_once_renew_no_more_at_a_time_than_one(connect, settled, call, monkeypatch):
    ended = [connect(), connect(username="ben@books.example")]
    for one in ended:
        age(one, -1)
    at_once, most, guard = [0], [0], threading.Lock()
    renewed = issue.usable

    def counted(*given):
        with guard:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        try:
            return renewed(*given)
        finally:
            with guard:
                at_once[0] -= 1

    monkeypatch.setattr(issue, "usable", counted)

    def ask(_: int) -> list[int]:
        try:
            return [one["status"] for one in results(call("POST", TOKENS, settled.aalto_key, by_id(*ended * 3)))]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answered = list(threads.map(ask, range(4)))
    assert answered == [[200] * 6] * 4
    assert most[0] <= 4


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_ours_at_one_leaves_the_others_their_tokens(connect, settled, call, monkeypatch):
    fresh, ended = connect(), connect(username="ben@books.example")
    age(ended, -1)
    monkeypatch.setattr(issue, "usable", lambda *_: 1 / 0)
    served, broken = results(call("POST", TOKENS, settled.aalto_key, by_id(fresh, ended)))
    assert served["status"] == 200
    assert (broken["status"], broken["problem"]["code"]) == (500, "internal_error")
