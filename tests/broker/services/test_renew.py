"""One renewal: what is sent, what is stored, and whose turn it is when it fails."""

import threading
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from broker import poller, tasks
from broker.services import credentials, renew, revoke, sweep
from broker.services.renewal_outcomes import Outcome
from providers.generic import OAuthProvider
from tenants import audit
from tenants.models import AuditEvent, Connection, Credential, CredentialOrphan, OutboxEvent, RenewalSlot
from tenants.querysets import slots

_STAFF = audit.staff("tester")


def refreshes(sandbox) -> int:
    return len([entry for entry in sandbox.log(endpoint="token") if entry["grant"]]) - 1


def slot_of(connection: Connection) -> RenewalSlot:
    return RenewalSlot.objects.get(pk=connection.id)


def events(connection: Connection, event_type: str) -> int:
    return OutboxEvent.objects.filter(connection_id=connection.id, type=event_type).count()


def make_overdue(connection: Connection) -> None:
    slots.make_due(connection.id)


def in_threads(count: int, work: Any) -> list[Any]:
    results: list[Any] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        try:
            results.append(work())
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class TestASuccessfulRenewal:
    def test_stores_the_rotated_pair_under_a_new_version(self, connect, local_provider):
        connection = connect()
        before = connection.credential.version
        assert renew.renew_now(connection.id) is Outcome.RENEWED
        connection.credential.refresh_from_db()
        assert connection.credential.version > before
        assert connection.credential.previous_version == before
        assert local_provider.grants()[0]["rotations"] == 1
        assert renew.renew_now(connection.id) is Outcome.RENEWED, "the stored refresh token is the rotated one"

    def test_keeps_the_old_refresh_token_when_none_comes(self, connect, local_provider):
        local_provider.update_client(rotation="none")
        connection = connect()
        before = credentials.open_current(connection.credential, connection.tenant_id)
        local_provider.fault("token", "omit_refresh_token")
        assert renew.renew_now(connection.id) is Outcome.RENEWED
        after = credentials.open_current(Credential.objects.get(pk=connection.id), connection.tenant_id)
        assert after.refresh_token == before.refresh_token
        assert after.access_token != before.access_token

    def test_is_due_again_within_its_life(self, connect):
        connection = connect()
        renew.renew_now(connection.id)
        slot = slot_of(connection)
        stored = Credential.objects.get(pk=connection.id)
        life = (stored.expires_at - stored.issued_at).total_seconds()
        assert 0.55 * life < (slot.due_at - stored.issued_at).total_seconds() <= 0.75 * life
        assert (slot.state, slot.intent, slot.lease_until, slot.attempts) == ("scheduled", "", None, 0)

    def test_heals_a_degraded_connection_and_says_so_once(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "status", status=503, times=2)
        assert renew.renew_now(connection.id) is Outcome.UNAVAILABLE
        assert renew.renew_now(connection.id) is Outcome.UNAVAILABLE
        connection.refresh_from_db()
        assert (connection.state, connection.reason) == ("degraded", "provider_unavailable")
        assert renew.renew_now(connection.id) is Outcome.RENEWED
        connection.refresh_from_db()
        assert (connection.state, connection.reason) == ("connected", "")
        assert events(connection, "connection.degraded") == events(connection, "connection.recovered") == 1

    def test_notices_that_fewer_scopes_were_granted_but_goes_on_serving(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "narrow_scope", scope="ea:api offline_access")
        assert renew.renew_now(connection.id) is Outcome.RENEWED
        connection.refresh_from_db()
        assert (connection.state, connection.reason) == ("degraded", "scope_missing")
        assert set(connection.scopes_granted) == {"ea:api", "offline_access"}


class TestTwoAtOnce:
    def test_thirty_two_callers_make_one_request(self, connect, local_provider):
        connection = connect()
        version = connection.credential.version
        before = refreshes(local_provider)
        outcomes = in_threads(32, lambda: renew.renew_now(connection.id, version=version))
        assert outcomes.count(Outcome.RENEWED) == 1
        assert set(outcomes) <= {Outcome.RENEWED, Outcome.BUSY, Outcome.FRESH}
        assert refreshes(local_provider) - before == 1

    def test_a_task_that_is_delivered_twice_sends_once(self, connect, local_provider):
        connection = connect()
        make_overdue(connection)
        claim = sweep.claim_due()[0]
        before = refreshes(local_provider)
        outcomes = in_threads(4, lambda: renew.renew_claimed(claim.connection_id, claim.fence))
        assert sorted(outcome.value for outcome in outcomes) == ["busy"] * 3 + ["renewed"]
        assert refreshes(local_provider) - before == 1

    def test_a_renewal_inside_a_transaction_is_refused(self, connect):
        connection = connect()
        with transaction.atomic(), pytest.raises(RuntimeError):
            renew.renew_now(connection.id)


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
        assert sweep.claim_due() == []
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
        renew.renew_now(connection.id)
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
            assert renew.renew_now(connection.id) is Outcome.UNAVAILABLE
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

    def test_a_wrong_secret_makes_one_incident_and_changes_no_connection(self, connect, local_provider):
        first, second = connect(), connect(username="ben@books.example")
        local_provider.update_client(client_secret="changed at the provider")
        assert renew.renew_now(first.id) is renew.renew_now(second.id) is Outcome.CLIENT_REJECTED
        assert set(Connection.objects.values_list("state", flat=True)) == {"connected"}
        assert OutboxEvent.objects.filter(type="registration.incident").count() == 1
        local_provider.update_client(client_secret="sandbox secret: 100% +/& ä")
        assert renew.renew_now(first.id) is Outcome.RENEWED
        assert OutboxEvent.objects.filter(type="registration.healed").count() == 1

    def test_a_bug_of_ours_while_sending_leaves_the_intent_uncertain(self, connect, monkeypatch):
        connection = connect()
        monkeypatch.setattr(OAuthProvider, "renew", lambda *_: 1 / 0)
        assert renew.renew_now(connection.id) is Outcome.UNAVAILABLE
        slot = slot_of(connection)
        assert (slot.failure_class, slot.uncertain_at is not None) == ("internal", True)


class TestRacesWithPeople:
    def test_disconnecting_while_a_renewal_is_out_revokes_what_it_brings(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "stall", seconds=0.6, after=True)
        renewing = threading.Thread(target=lambda: (renew.renew_now(connection.id), database.close()))
        renewing.start()
        self._until_sending(connection)
        revoke.disconnect(connection, actor=_STAFF)
        renewing.join()
        assert not Credential.objects.filter(pk=connection.id).exists()
        late = CredentialOrphan.objects.filter(connection_id=connection.id, outcome="revoke")
        assert late.count() == 1
        revoke.revoke_orphan(late.get().pk)
        assert [grant["alive"] for grant in local_provider.grants()] == [False]

    def test_a_late_writer_whose_line_is_still_the_stored_one_is_adopted(self, connect, local_provider):
        connection = connect()
        local_provider.set_latency(token=0.6)
        renewing = threading.Thread(target=lambda: (renew.renew_now(connection.id), database.close()))
        renewing.start()
        self._until_sending(connection)
        with database.cursor() as cursor:
            cursor.execute("UPDATE tenants_renewalslot SET fence = fence + 1, intent = '', lease_until = NULL")
        renewing.join()
        assert AuditEvent.objects.filter(connection_id=connection.id, action="credential.adopted").exists()
        assert renew.renew_now(connection.id) is Outcome.RENEWED, "the adopted refresh token works"

    @staticmethod
    def _until_sending(connection: Connection) -> None:
        for _ in range(500):
            if slot_of(connection).intent == "sending":
                return
            threading.Event().wait(0.01)
        raise AssertionError("the renewal never started to send")


class TestWorkers:
    def test_the_sweep_hands_out_what_is_due_and_nothing_else(self, connect, local_provider, settings):
        due, waiting = connect(), connect(username="ben@books.example")
        make_overdue(due)
        claims = sweep.claim_due()
        assert [claim.connection_id for claim in claims] == [due.id]
        assert sweep.claim_due() == [], "claimed once"
        tasks.renew_claimed(str(due.id), claims[0].fence)
        assert Credential.objects.get(pk=due.id).version == claims[0].fence
        assert Credential.objects.get(pk=waiting.id).version == waiting.credential.version

    def test_workers_renew_by_themselves_what_nobody_swept(self, connect):
        connection = connect()
        before = connection.credential.version
        make_overdue(connection)
        assert poller.poll_once() == 1
        assert poller.poll_once() == 0
        assert Credential.objects.get(pk=connection.id).version > before
