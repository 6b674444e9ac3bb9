"""When a renewal fails: whose turn it is, and what is tried again."""

import pytest

from broker.services import renew, trying
from broker.services.renewal_attempt import Outcome
from providers.generic import OAuthProvider
from tenants.models import Connection, Credential, OutboxEvent
from tests import people
from tests.broker.services.renewing import claim_due, end_in, events, slot_of


class TestInvalidGrant:
    def test_is_confirmed_once_before_the_customer_is_asked(self, connect, local_provider):
        connection = connect()
        local_provider.withdraw(local_provider.grants()[0]["id"])
        assert renew.renew_now(connection.id) is Outcome.SUSPECT
        connection.refresh_from_db()
        assert connection.state == "connected"
        assert slot_of(connection).suspect_version == connection.credential.version
        assert renew.renew_now(connection.id) is Outcome.DEAD
        connection.refresh_from_db()
        assert (connection.state, connection.reason) == ("reauthorization_required", "grant_revoked")
        assert events(connection, "connection.reauthorization_required") == 1

    def test_after_that_nothing_is_ever_sent_again(self, connect, local_provider):
        connection = connect()
        local_provider.change_password()
        renew.renew_now(connection.id)
        renew.renew_now(connection.id)
        sent = len(local_provider.log(endpoint="token"))
        assert renew.renew_now(connection.id) is Outcome.BUSY
        assert claim_due() == []
        assert len(local_provider.log(endpoint="token")) == sent

    def test_a_provider_that_says_it_once_by_mistake_costs_nothing(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "error", error="invalid_grant")
        assert renew.renew_now(connection.id) is Outcome.SUSPECT
        assert renew.renew_now(connection.id) is Outcome.RENEWED
        connection.refresh_from_db()
        assert connection.state == "connected"
        assert slot_of(connection).suspect_version is None

    def test_after_an_answer_that_was_lost_it_is_our_fault_and_says_so(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "drop_after")
        assert renew.renew_now(connection.id) is Outcome.UNAVAILABLE
        assert slot_of(connection).uncertain_at is not None
        end_in(connection, seconds=50)
        assert renew.renew_now(connection.id) is Outcome.SUSPECT
        assert renew.renew_now(connection.id) is Outcome.DEAD
        connection.refresh_from_db()
        assert connection.reason == "rotation_lost"


class TestFaultsOfOthers:
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "html", "status": 200},
            {"kind": "html", "status": 502},
            {"kind": "status", "status": 500},
            {"kind": "status", "status": 503},
            {"kind": "rate_limited", "retry_after": 7},
            {"kind": "drop_before"},
            {"kind": "cut_body"},
            {"kind": "error", "error": "temporarily_unavailable"},
        ],
        ids=str,
    )
    def test_never_ask_the_customer(self, connect, local_provider, fault):
        connection = connect()
        local_provider.fault("token", times=4, **fault)
        for _ in range(4):
            assert renew.renew_now(connection.id) in (Outcome.UNAVAILABLE, Outcome.MALFORMED)
        connection.refresh_from_db()
        assert connection.state == "degraded"
        assert slot_of(connection).state == "scheduled"
        assert events(connection, "connection.reauthorization_required") == 0

    def test_a_429_is_waited_out(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "rate_limited", retry_after=1234)
        renew.renew_now(connection.id)
        slot = slot_of(connection)
        assert slot.failure_class == "throttled"
        assert (slot.due_at - slot.failed_at).total_seconds() >= 1234

    def test_where_a_token_dies_at_its_first_use_an_unknown_outcome_is_not_sent_again_at_once(
        self, connect, local_provider
    ):
        connection = connect()
        local_provider.fault("token", "drop_after")
        renew.renew_now(connection.id)
        slot = slot_of(connection)
        stored = Credential.objects.get(pk=connection.id)
        assert slot.failure_class == "uncertain"
        assert 50 < (stored.expires_at - slot.due_at).total_seconds() < 70

    def test_a_token_in_doubt_is_left_alone_while_its_access_token_still_works(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "drop_after")
        renew.renew_now(connection.id)
        sent = len(local_provider.log(endpoint="token"))
        assert renew.renew_now(connection.id) is Outcome.UNAVAILABLE
        assert len(local_provider.log(endpoint="token")) == sent
        slot = slot_of(connection)
        assert slot.uncertain_at is not None
        assert 50 < (Credential.objects.get(pk=connection.id).expires_at - slot.due_at).total_seconds() < 70

    def test_a_wrong_secret_makes_one_incident_and_changes_no_connection(self, connect, local_provider):
        first, second = connect(), connect(username="ben@books.example")
        local_provider.update_client(client_secret="changed at the provider")
        assert renew.renew_now(first.id) is renew.renew_now(second.id) is Outcome.CLIENT_REJECTED
        assert set(Connection.objects.values_list("state", flat=True)) == {"connected"}
        assert OutboxEvent.objects.filter(type="registration.incident").count() == 1
        local_provider.update_client(client_secret="sandbox secret: 100% +/& ä")
        trying.try_now(first.registration, actor=people.STAFF)
        assert renew.renew_now(first.id) is Outcome.RENEWED
        assert OutboxEvent.objects.filter(type="registration.healed").count() == 1

    def test_a_bug_of_ours_while_sending_leaves_the_intent_uncertain(self, connect, monkeypatch):
        connection = connect()
        monkeypatch.setattr(OAuthProvider, "renew", lambda *_: 1 / 0)
        assert renew.renew_now(connection.id) is Outcome.UNAVAILABLE
        slot = slot_of(connection)
        assert (slot.failure_class, slot.uncertain_at is not None) == ("internal", True)
