"""Idempotency-Key: one effect and one answer, however often and however closely together a request arrives."""

import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F

from broker.errors import ProviderNotAvailable
from broker.services import sweep
from tenants.models import AuditEvent, ClientRegistration, ConnectSession, IdempotentRequest, Tenant
from tenants.querysets import idempotent
from tenants.querysets.rows import one_row
from tests import people
from tests.together import together

SESSIONS = "/v1/connect-sessions"
BODY = {"tenant": "aalto", "providers": [people.PROVIDER]}


@pytest.fixture
def create(settled, call):
    def send(key="one", body=BODY, caller=None, path=SESSIONS):
        return call("POST", path, caller or settled.aalto_key, body, HTTP_IDEMPOTENCY_KEY=key)

    return send


def seen(answer):
    return answer.status_code, answer.content, answer["Idempotency-Key"], answer.get("Idempotent-Replayed")


def aged(**older):
    IdempotentRequest.objects.update(created_at=F("created_at") - timedelta(**older))


class TestAgain:
    def test_the_same_request_gets_the_same_answer_and_has_no_second_effect(self, create):
        first, second = create(), create()
        assert seen(first) == (201, first.content, '"one"', None)
        assert seen(second) == (201, first.content, '"one"', "true")
        assert ConnectSession.objects.count() == 1

    def test_a_quoted_key_is_the_same_key(self, create):
        assert create('"one"').content == create("one").content

    def test_another_key_is_another_request(self, create):
        assert create("one").json()["id"] != create("two").json()["id"]

    def test_without_a_key_each_request_is_a_new_one(self, settled, call):
        answers = [call("POST", SESSIONS, settled.aalto_key, BODY) for _ in range(2)]
        assert answers[0].json()["id"] != answers[1].json()["id"]
        assert not IdempotentRequest.objects.exists()

    @pytest.mark.parametrize("change", ["body", "path", "method"])
    def test_the_key_with_another_request_is_refused(self, settled, connect, create, call, change):
        made = create().json()
        if change == "body":
            answer = create(body={**BODY, "label": "other"})
        elif change == "path":
            answer = create(path=f"{SESSIONS}?x=1")
        else:
            path = f"/v1/connections/{connect().id}"
            answer = call("DELETE", path, settled.aalto_key, HTTP_IDEMPOTENCY_KEY="one")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert made["url"] not in answer.content.decode()

    def test_a_key_is_its_callers_own(self, settled, create):
        mine = create().json()
        theirs = create(caller=settled.birch_key, body={**BODY, "tenant": "birch"})
        assert theirs.status_code == 201
        assert theirs.json()["id"] != mine["id"]

    @pytest.mark.parametrize("key", ["", " ", '"', '""', "a b", "a,b", "ä", "x" * 256, '"a", "b"'])
    def test_what_is_no_key_is_refused(self, create, key):
        answer = create(key)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert not ConnectSession.objects.exists()

    def test_a_refusal_is_not_kept(self, create):
        ClientRegistration.objects.update(disabled_at="2026-01-01T00:00Z")
        assert create().json()["code"] == ProviderNotAvailable.code
        assert not IdempotentRequest.objects.exists()
        ClientRegistration.objects.update(disabled_at=None)
        assert create().status_code == 201

    def test_nothing_of_the_answer_stands_in_clear(self, create):
        link = create().json()["url"]
        row = IdempotentRequest.objects.get()
        assert link.rsplit("/", 1)[-1].encode() not in bytes(row.sealed)


class TestEnd:
    def test_after_a_day_the_key_is_free(self, create):
        first = create()
        aged(hours=23)
        assert create().content == first.content
        aged(hours=2)
        assert create(body={**BODY, "label": "other"}).status_code == 201

    def test_the_sweep_removes_what_has_ended(self, create):
        create("old")
        aged(hours=25)
        create("new")
        assert sweep.purge_ended() >= 1
        assert list(IdempotentRequest.objects.values_list("key", flat=True)) == ["new"]


class TestAtOnce:
    def test_two_at_once_are_one(self, create):
        answers = together(*[create] * 4)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert ConnectSession.objects.count() == 1
        assert AuditEvent.objects.filter(action="connect_session.created").count() == 1

    def test_the_second_waits_for_the_first(self, create):
        """Held up on purpose: both have begun before either can end."""

        def release_when_both_wait():
            with transaction.atomic():
                Tenant.objects.select_for_update().get(slug="aalto")
                wait_for_waiting(2)

        *answers, _ = together(create, create, release_when_both_wait)
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].content == answers[1].content

    def test_it_does_not_wait_for_ever(self, settled, create):
        def hold():
            with transaction.atomic():
                assert idempotent.claim(people.caller_of("aalto-service").id, "one", b"")
                wait_for_waiting(1)
                wait_for_waiting(0)

        answer, _ = together(create, hold)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotent_request_at_work")
        assert answer["Retry-After"] == "1"


class TestSteps:
    """A route that talks to a provider in between cannot hold one transaction."""

    @pytest.fixture
    def disconnect(self, settled, connect, call):
        path = f"/v1/connections/{connect().id}"
        return lambda: call("DELETE", path, settled.aalto_key, HTTP_IDEMPOTENCY_KEY="one")

    def test_the_answer_is_kept(self, disconnect, local_provider):
        first, second = disconnect(), disconnect()
        assert seen(first) == (200, first.content, '"one"', None)
        assert seen(second) == (200, first.content, '"one"', "true")

    def test_one_that_died_at_work_makes_way_after_a_minute(self, disconnect):
        disconnect()
        IdempotentRequest.objects.update(status=None, sealed=None)
        answer = disconnect()
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotent_request_at_work")
        aged(seconds=61)
        assert disconnect().json()["state"] == "disconnected"
        assert disconnect()["Idempotent-Replayed"] == "true"

    def test_a_refusal_is_not_kept(self, settled, call):
        path = "/v1/connections/6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f00"
        answer = call("DELETE", path, settled.aalto_key, HTTP_IDEMPOTENCY_KEY="one")
        assert answer.json()["code"] == "connection_not_found"
        assert not IdempotentRequest.objects.exists()


def wait_for_waiting(count):
    """Return when so many sessions of this database wait for a lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = %(name)s AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 20
    while (row := one_row(sql, {"name": connection.settings_dict["NAME"]})) != (count,):
        assert time.monotonic() < deadline, row
        time.sleep(0.02)
