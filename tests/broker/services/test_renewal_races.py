"""A renewal and a person at the same moment: the person wins, no token is lost, and the customer is not blamed.

What people do, at each place that a renewal can have come to: its slot is claimed, its request is out, the answer is
here and not written yet, or is being written in this very moment.
"""

from broker.services import parked, renew, renewal_steps, revoke, secret_rotation, states, tenant_end
from broker.services.renewal_attempt import Outcome
from providers.messages import Secret
from tenants.models import Connection, Credential, CredentialOrphan, State
from tenants.querysets import slots
from tests.broker.services.racing import (
    STAFF,
    assert_kept,
    assert_nobody_blamed,
    at_every_stage,
    attempt,
    sent,
    sign_in_again,
    tell_the_provider,
    until,
)
from tests.broker.services.renewing import claim_due, end_in
from tests.fakes.sandbox import USER_OF_TWO
from tests.together import together


class TestRacesWithPeople:
    @at_every_stage
    def test_disconnecting_revokes_all_there_is_and_stays(self, stage, connect, local_provider):
        connection = connect()
        answer = stage(attempt(connection), lambda: revoke.disconnect(connection, actor=STAFF), local_provider)
        assert_kept(connection, answer)
        assert not Credential.objects.filter(pk=connection.pk).exists()
        tell_the_provider()
        assert [grant["alive"] for grant in local_provider.grants()] == [False]
        assert renew.renew_now(connection.pk) in (Outcome.BUSY, Outcome.FRESH)
        assert claim_due() == []
        assert_nobody_blamed(connection)
        assert connection.state == "disconnected"

    @at_every_stage
    def test_signing_in_again_wins(self, stage, connect, local_provider):
        connection = connect()
        answer = stage(attempt(connection), lambda: sign_in_again(connection), local_provider)
        assert_kept(connection, answer)
        assert_nobody_blamed(connection)
        assert connection.state == "connected"
        assert renew.renew_now(connection.pk) is Outcome.RENEWED
        assert [grant["alive"] for grant in local_provider.grants()][-1] is True

    @at_every_stage
    def test_signing_in_with_another_company_leaves_the_renewal_alone(self, stage, connect, local_provider):
        connection = connect()
        ready = attempt(connection)
        answer = stage(ready, lambda: sign_in_again(connection, username=USER_OF_TWO), local_provider)
        assert answer is not None
        assert_kept(connection, answer)
        assert_nobody_blamed(connection)
        assert (connection.state, connection.reason) == ("degraded", "account_mismatch")
        assert Credential.objects.get(pk=connection.pk).version == ready.claim.fence
        assert renew.renew_now(connection.pk) is Outcome.RENEWED
        assert [grant["alive"] for grant in local_provider.grants()] == [True, True]

    @at_every_stage
    def test_taking_another_company_ends_the_old_one_s_tokens(self, stage, connect, local_provider):
        connection = connect()
        sign_in_again(connection, username=USER_OF_TWO)
        answer = stage(attempt(connection), lambda: parked.take(connection, actor=STAFF), local_provider)
        assert_kept(connection, answer)
        assert_nobody_blamed(connection)
        assert (connection.state, connection.external_name) == ("connected", "Birch Books Oy")
        tell_the_provider()
        assert [grant["alive"] for grant in local_provider.grants()] == [False, True]
        assert renew.renew_now(connection.pk) is Outcome.RENEWED

    @at_every_stage
    def test_suspending_keeps_what_a_renewal_brings_for_later(self, stage, connect, local_provider):
        connection = connect()
        answer = stage(attempt(connection), lambda: revoke.suspend(connection, actor=STAFF), local_provider)
        assert_kept(connection, answer)
        assert_nobody_blamed(connection)
        assert connection.state == "suspended"
        assert renew.renew_now(connection.pk) is Outcome.BUSY
        assert claim_due() == []
        assert revoke.resume(connection, actor=STAFF)
        assert renew.renew_now(connection.pk) is Outcome.RENEWED
        assert not CredentialOrphan.objects.exists()

    @at_every_stage
    def test_resuming_at_once_loses_nothing_either(self, stage, connect, local_provider):
        connection = connect()

        def there_and_back() -> None:
            revoke.suspend(connection, actor=STAFF)
            revoke.resume(connection, actor=STAFF)

        answer = stage(attempt(connection), there_and_back, local_provider)
        assert_kept(connection, answer)
        assert_nobody_blamed(connection)
        # Whoever has resumed it could have renewed at once: a doubt that is settled in the token's last minute.
        end_in(connection, seconds=30)
        assert renew.renew_now(connection.pk) is Outcome.RENEWED
        connection.refresh_from_db()
        assert connection.state == "connected"

    @at_every_stage
    def test_deleting_the_tenant_revokes_all_there_is(self, stage, connect, local_provider):
        connection = connect()

        def delete() -> None:
            tenant_end.begin(connection.tenant, actor=STAFF)
            tenant_end.go_on()

        answer = stage(attempt(connection), delete, local_provider)
        assert_kept(connection, answer)
        assert_nobody_blamed(connection)
        assert connection.state == "disconnected"
        tell_the_provider()
        assert [grant["alive"] for grant in local_provider.grants()] == [False]

    @at_every_stage
    def test_a_new_client_secret_blames_nobody(self, stage, connect, local_provider, settled):
        connection = connect()

        def replace() -> None:
            local_provider.update_client(client_secret="the next one")
            secret_rotation.replace(settled.registration, Secret("the next one"), actor=STAFF)

        answer = stage(attempt(connection), replace, local_provider)
        assert_kept(connection, answer)
        assert_nobody_blamed(connection)
        until(lambda: renew.renew_now(connection.pk) is Outcome.RENEWED)
        connection.refresh_from_db()
        assert connection.state == "connected"


class TestTwoPeople:
    def test_disconnecting_and_a_late_answer_lock_in_one_order(self, connect, local_provider):
        for _ in range(5):
            connection = connect()
            answer = sent(attempt(connection))
            slots.seize(connection.pk)
            together(
                lambda answer=answer: renewal_steps.conclude([answer]),
                lambda connection=connection: revoke.end_here(connection, actor=STAFF),
                lambda connection=connection: revoke.resume(connection, actor=STAFF),
            )
            assert_kept(connection, answer)
            tell_the_provider()
            assert local_provider.grants(alive="true") == []

    def test_taking_turning_away_and_disconnecting_at_once_leave_no_token_behind(self, connect, local_provider):
        for _ in range(3):
            connection = connect()
            sign_in_again(connection, username=USER_OF_TWO)
            together(
                lambda connection=connection: parked.take(Connection.objects.get(pk=connection.pk), actor=STAFF),
                lambda connection=connection: parked.turn_away(connection, actor=STAFF),
                lambda connection=connection: revoke.end_here(connection, actor=STAFF),
            )
            revoke.end_here(connection, actor=STAFF)
            tell_the_provider()
            assert local_provider.grants(alive="true") == []
            Connection.objects.filter(pk=connection.pk).update(external_subject="", external_name="")

    def test_what_a_renewal_concludes_never_undoes_what_a_person_did(self, connect):
        connection = connect()
        stale = Connection.objects.get(pk=connection.id)
        revoke.suspend(connection, actor=STAFF)
        assert not states.move(stale, State.CONNECTED, only_from=states.LIVE)
        connection.refresh_from_db()
        assert connection.state == "suspended"
