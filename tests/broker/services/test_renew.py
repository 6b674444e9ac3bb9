"""One renewal: what is sent, what is stored, who may send."""

import pytest
from django.db import transaction

from broker import pump, tasks
from broker.services import credentials, renew
from broker.services.renewal_attempt import Outcome
from tenants.models import Credential
from tests.broker.services.renewing import events, in_threads, make_due, refreshes, slot_of


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
        local_provider.fault("token", "error", error="temporarily_unavailable", status=503, times=2)
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
        make_due(connection)
        before = refreshes(local_provider)
        assert sorted(in_threads(4, pump.drain)) == [0, 0, 0, 1]
        assert refreshes(local_provider) - before == 1

    def test_a_renewal_inside_a_transaction_is_refused(self, connect):
        connection = connect()
        with transaction.atomic(), pytest.raises(RuntimeError):
            renew.renew_now(connection.id)


class TestWorkers:
    def test_the_sweep_hands_out_what_is_due_and_nothing_else(self, connect, local_provider, settings):
        due, waiting = connect(), connect(username="ben@books.example")
        make_due(due)
        before = due.credential.version
        tasks.renew_due()
        assert Credential.objects.get(pk=due.id).version > before
        assert Credential.objects.get(pk=waiting.id).version == waiting.credential.version

    def test_workers_renew_by_themselves_what_nobody_swept(self, connect):
        connection = connect()
        before = connection.credential.version
        make_due(connection)
        assert pump.drain() == 1
        assert pump.drain() == 0
        assert Credential.objects.get(pk=connection.id).version > before
