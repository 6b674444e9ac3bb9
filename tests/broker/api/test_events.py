"""The list of events by the API: one order, filters, and a wait that holds nothing up."""

import threading
import time

import pytest
from django.db import connection as database
from django.test import Client

from broker.services import events
from tenants.models import Caller
from tests.broker.services import telling

EVENTS = "/v1/events"


@pytest.fixture
def aalto(settled):
    return telling.connection(settled.aalto, settled.registration, "main")


def listed(call, key, query="", **headers):
    answer = call("GET", f"{EVENTS}{query}", key, **headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_oldest_first_each_with_its_cursor(settled, call, aalto):
    telling.happen(aalto, "connection.degraded", "connection.recovered")
    page = listed(call, settled.aalto_key)
    assert [each["type"] for each in page["items"]] == ["connection.degraded", "connection.recovered"]
    assert page["items"][0]["id"].startswith("msg_")
    assert page["items"][0]["data"]["connection"] == str(aalto.id)
    rest = listed(call, settled.aalto_key, f"?cursor={page['items'][0]['cursor']}")
    assert rest["items"] == page["items"][1:]
    assert listed(call, settled.aalto_key, f"?cursor={rest['next_cursor']}") == {
        "items": [],
        "next_cursor": rest["next_cursor"],
    }


def test_now_is_after_all_that_there_is(settled, call, aalto):
    telling.happen(aalto, "connection.degraded")
    page = listed(call, settled.aalto_key, "?cursor=now")
    assert page["items"] == []
    telling.happen(aalto, "connection.recovered")
    later = listed(call, settled.aalto_key, f"?cursor={page['next_cursor']}")
    assert [each["type"] for each in later["items"]] == ["connection.recovered"]


def test_filters(settled, call, aalto):
    telling.happen(aalto, "connection.degraded", "connection.recovered")
    key = settled.aalto_key
    assert len(listed(call, key, "?type=connection.degraded,connection.suspended")["items"]) == 1
    assert len(listed(call, key, f"?tenant=aalto&connection={aalto.id}&limit=1")["items"]) == 1
    assert listed(call, key, "?tenant=birch")["items"] == []
    assert listed(call, key, "?connection=nonsense")["items"] == []


@pytest.mark.parametrize("query", ["?type=moon.was_full", "?cursor=x", "?cursor=-1", f"?cursor={'9' * 30}", "?limit=0"])
def test_odd_questions(settled, call, query):
    assert call("GET", f"{EVENTS}{query}", settled.aalto_key).json()["code"] == "invalid_request"


def test_the_operation_is_needed(settled, call):
    Caller.objects.filter(name="aalto-service").update(operations=["webhook.manage"])
    assert call("GET", EVENTS, settled.aalto_key).json()["code"] == "forbidden"


def test_who_waits_is_answered_as_soon_as_something_happens(settled, aalto, call):
    answers = []

    def ask():
        headers = {"HTTP_AUTHORIZATION": f"Bearer {settled.aalto_key}", "HTTP_PREFER": "wait=15"}
        answers.append(Client().get(f"{EVENTS}?cursor=now", **headers))
        database.close()

    thread = threading.Thread(target=ask)
    begun = time.monotonic()
    thread.start()
    deadline = time.monotonic() + 10
    while events._waiting._value and time.monotonic() < deadline:
        time.sleep(0.01)
    telling.happen(aalto, "connection.degraded")
    thread.join(15)
    assert time.monotonic() - begun < 10
    assert [each["type"] for each in answers[0].json()["items"]] == ["connection.degraded"]
    assert answers[0]["Preference-Applied"] == "wait=15"


def test_only_one_waits_in_a_process_and_any_other_is_answered_at_once(settled, call):
    with events._waiting:
        begun = time.monotonic()
        answer = call("GET", EVENTS, settled.aalto_key, HTTP_PREFER="wait=15")
        assert time.monotonic() - begun < 5
    assert answer.json()["items"] == []
    assert "Preference-Applied" not in answer


def test_the_wait_ends_when_it_was_asked_to(settled, call):
    begun = time.monotonic()
    answer = call("GET", EVENTS, settled.aalto_key, HTTP_PREFER="wait=1")
    assert 0.9 < time.monotonic() - begun < 5
    assert answer["Preference-Applied"] == "wait=1"
