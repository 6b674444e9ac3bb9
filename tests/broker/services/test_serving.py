"""A token that is not good enough, and a provider or a process that is in trouble."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection as database
from django.db.models.functions import Now

from broker import errors
from broker.services import gate_view, issue, renew
from broker.services.callers import parse
from broker.services.issue import Wanted
from broker.services.renewal_attempt import Outcome
from tenants.models import Connection, Credential, RegistrationGate
from tenants.querysets import gates, hand_out, slots
from tenants.querysets.hand_out import Named
from tests.broker.services.renewing import in_threads, refreshes, slot_of

CALLERS = 8


def ask(settled, connection: Connection, wanted: Wanted | None = None) -> Any:
    """Return the answer's members as attributes, or the error."""
    find = partial(hand_out.for_token, named=Named(connection.id))
    try:
        answer = issue.issue_access_token(parse(f"Bearer {settled.aalto_key}"), find, wanted or Wanted())
        return SimpleNamespace(**json.loads(answer))
    except errors.BrokerError as error:
        return error


def code(answer: Any) -> str:
    return answer.code if isinstance(answer, errors.BrokerError) else "token"


def end_in(connection: Connection, *, seconds: int) -> None:
    """Let the token, an hour old, end so many seconds from now."""
    ends = {"expires_at": Now() + timedelta(seconds=seconds), "issued_at": Now() - timedelta(hours=1)}
    Credential.objects.filter(pk=connection.id).update(**ends)


def in_the_past(connection: Connection, *, seconds: int) -> None:
    """As if the last failure and the end of its back-off were so long ago."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_renewalslot SET failed_at = now() - %(s)s * interval '1 second', due_at = now() "
            "WHERE connection_id = %(id)s",
            {"s": seconds, "id": connection.id},
        )


class TestWhileTheProviderIsDown:
    def test_a_storm_of_callers_makes_one_request_a_step_of_the_back_off(self, connect, settled, local_provider):
        connection = connect()
        end_in(connection, seconds=-5)
        local_provider.fault("token", "status", status=503, times=100)
        for sent in (1, 2, 3):
            answers = in_threads(CALLERS, lambda: ask(settled, connection))
            answers += [ask(settled, connection) for _ in range(3)]
            assert {code(answer) for answer in answers} == {"provider_unavailable"}
            assert all(1 <= answer.retry_after <= 30 for answer in answers)
            assert refreshes(local_provider) == sent
            assert slot_of(connection).attempts == sent
            in_the_past(connection, seconds=5)

    def test_callers_hear_when_the_next_attempt_is_due(self, connect, settled, local_provider):
        connection = connect()
        end_in(connection, seconds=-5)
        local_provider.fault("token", "rate_limited", retry_after=12)
        ask(settled, connection)
        with database.cursor() as cursor:
            cursor.execute("UPDATE tenants_registrationgate SET state = 'closed', open_until = NULL")
        gate_view.view.forget()
        assert 10 <= ask(settled, connection).retry_after <= 12

    @pytest.mark.parametrize(
        ("fault", "note"),
        [
            ({"kind": "status", "status": 500}, "provider_unavailable"),
            ({"kind": "html", "status": 200}, "provider_unavailable"),
            ({"kind": "rate_limited", "retry_after": 9}, "rate_limited"),
            ({"kind": "error", "error": "invalid_client"}, "client_misconfigured"),
            ({"kind": "error", "error": "invalid_grant"}, "grant_in_doubt"),
        ],
        ids=str,
    )
    def test_a_token_that_still_works_is_served_with_the_reason(self, connect, settled, local_provider, fault, note):
        connection = connect()
        end_in(connection, seconds=30)
        local_provider.fault("token", times=1, **fault)
        for _ in range(2):
            served = ask(settled, connection)
            assert (code(served), served.degraded) == ("token", note)
        assert refreshes(local_provider) == 1
        connection.refresh_from_db()
        assert connection.state == "connected"

    def test_but_never_to_a_caller_who_named_a_min_ttl(self, connect, settled, local_provider):
        connection = connect()
        end_in(connection, seconds=30)
        local_provider.fault("token", "status", status=500, times=3)
        assert code(ask(settled, connection, Wanted(min_ttl=31))) == "provider_unavailable"
        assert code(ask(settled, connection, Wanted(min_ttl=31))) == "provider_unavailable"
        assert ask(settled, connection, Wanted(min_ttl=5)).degraded is None
        assert refreshes(local_provider) == 1

    def test_tokens_that_became_shorter_than_min_ttl_are_not_renewed_over_and_over(
        self, connect, settled, local_provider
    ):
        connection = connect()
        end_in(connection, seconds=100)
        local_provider.update_client(access_token_seconds=120)
        assert [code(ask(settled, connection, Wanted(min_ttl=300))) for _ in range(3)] == ["min_ttl_unattainable"] * 3
        assert refreshes(local_provider) == 1


class TestWhileSomebodyElseRenews:
    def test_who_waited_for_an_attempt_that_failed_does_not_try_in_turn(self, connect, settled, local_provider):
        connection = connect()
        end_in(connection, seconds=-5)
        claim = self._claimed_elsewhere(connection.id)
        with ThreadPoolExecutor(1) as caller:
            waiting = caller.submit(self._ask_and_close, settled, connection)
            # The caller has looked once and waits; the other's failure may be repeated at once.
            time.sleep(0.3)
            assert not waiting.done()
            slots.postpone(claim, failure="malformed", seconds=0.0)
            in_the_past(connection, seconds=2)
            assert code(waiting.result(10)) == "provider_response_malformed"
        assert refreshes(local_provider) == 0

    def test_a_failure_of_this_moment_is_answered_with_however_short_its_back_off(
        self, connect, settled, local_provider
    ):
        connection = connect()
        end_in(connection, seconds=-5)
        slots.postpone(self._claimed_elsewhere(connection.id), failure="transient", seconds=0.0)
        # In this moment, however slow the machine.
        in_the_past(connection, seconds=-20)
        refused = ask(settled, connection)
        assert (code(refused), refused.retry_after) == ("provider_unavailable", 1)
        assert refreshes(local_provider) == 0

    def test_who_looked_before_the_failure_does_not_try_after_it(self, connect, local_provider):
        connection = connect()
        claim = self._claimed_elsewhere(connection.id)
        slots.postpone(claim, failure="transient", seconds=0.0)
        assert renew.renew_now(connection.id, version=1, attempts=0) is Outcome.BUSY
        assert refreshes(local_provider) == 0
        assert slot_of(connection).lease_owner == ""
        assert renew.renew_now(connection.id, version=1, attempts=1) is Outcome.RENEWED

    def test_a_process_that_is_gone_leaves_it_to_who_waits(self, connect, settled, local_provider):
        connection = connect()
        end_in(connection, seconds=-5)
        self._claimed_elsewhere(connection.id)
        with ThreadPoolExecutor(1) as caller:
            waiting = caller.submit(self._ask_and_close, settled, connection)
            time.sleep(0.3)
            assert not waiting.done()
            with database.cursor() as cursor:
                cursor.execute("UPDATE tenants_renewalslot SET lease_until = NULL, lease_owner = '', intent = ''")
            assert code(waiting.result(10)) == "token"
        assert refreshes(local_provider) == 1

    def test_nobody_waits_longer_than_they_have(self, connect, settled, local_provider):
        connection = connect()
        end_in(connection, seconds=-5)
        local_provider.set_latency(token=1.5)
        start = time.monotonic()
        answers = in_threads(3, lambda: ask(settled, connection, Wanted(wait_seconds=0.5)))
        assert time.monotonic() - start < 1.4
        assert {code(answer) for answer in answers} == {"renewal_in_progress"}
        assert all(answer.retry_after == 1 for answer in answers)
        # What was sent is finished all the same.
        assert code(ask(settled, connection)) == "token"
        assert refreshes(local_provider) == 1

    def test_no_wish_exceeds_the_setting(self, settings):
        settings.TOKEN_WAIT_SECONDS = 5.0
        assert [issue.patience(Wanted(wait_seconds=wish)) for wish in (None, 0.0, 2.0, 600.0)] == [5.0, 0.0, 2.0, 5.0]

    @staticmethod
    def _claimed_elsewhere(connection_id: UUID) -> slots.Claim:
        claim = slots.claim_one(connection_id, owner="elsewhere:1:1", lease_seconds=30)
        assert claim is not None
        return claim

    @staticmethod
    def _ask_and_close(settled, connection: Connection) -> Any:
        try:
            return ask(settled, connection)
        finally:
            database.close()


class TestWhileTheRegistrationIsShut:
    @pytest.mark.parametrize(
        ("cause", "note", "refusal"),
        [
            ("outage", "provider_unavailable", "provider_unavailable"),
            ("throttled", "rate_limited", "provider_unavailable"),
            ("doubts", "grant_in_doubt", "provider_unavailable"),
            ("incident", "client_misconfigured", "registration_rejected"),
            ("canary", "client_misconfigured", "registration_rejected"),
        ],
    )
    def test_nothing_is_sent_and_what_works_is_served(self, connect, settled, local_provider, cause, note, refusal):
        connection = connect()
        self._shut(connection, cause, seconds=25)
        assert ask(settled, connection).degraded is None
        end_in(connection, seconds=30)
        assert ask(settled, connection).degraded == note
        end_in(connection, seconds=-5)
        refused = ask(settled, connection)
        assert (code(refused), refused.status) == (refusal, 502 if refusal == "registration_rejected" else 503)
        assert 15 <= refused.retry_after <= 30
        assert refreshes(local_provider) == 0
        assert Credential.objects.get(pk=connection.id).version == 1

    @staticmethod
    def _shut(connection: Connection, cause: str, *, seconds: int) -> None:
        gates.ensure(connection.registration_id)
        with database.cursor() as cursor:
            cursor.execute(
                "UPDATE tenants_registrationgate SET state = %s, cause = %s, open_until = now() + %s * interval '1 s'",
                [RegistrationGate.State.OPEN.value, cause, seconds],
            )
        gate_view.view.forget()
