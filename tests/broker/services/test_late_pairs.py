"""Tokens whose writer lost its fence: taken into use, revoked, or kept until nobody can need them."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from broker.services import credentials, orphans, renew, renewal_steps, revoke, states, sweep
from broker.services.renewal_attempt import Outcome
from providers.messages import OAuthCredential, Secret, TokenResponse
from tenants.models import AuditEvent, Connection, Credential, CredentialOrphan, State
from tests.broker.services.racing import STAFF, another_claims, attempt, sent, sign_in_again, tell_the_provider
from tests.broker.services.renewing import slot_of


class TestLateWriters:
    def test_one_whose_line_is_still_the_stored_one_is_adopted(self, connect):
        connection = connect()
        answer = sent(attempt(connection))
        another_claims(connection)
        renewal_steps.conclude([answer])
        assert AuditEvent.objects.filter(connection_id=connection.id, action="credential.adopted").exists()
        assert renew.renew_now(connection.id) is Outcome.RENEWED, "the adopted refresh token works"

    def test_one_of_a_connection_that_was_given_up_meanwhile_brings_it_back(self, connect):
        connection = connect()
        answer = sent(attempt(connection))
        another_claims(connection)
        states.move(connection, State.REAUTHORIZATION_REQUIRED)
        renewal_steps.conclude([answer])
        connection.refresh_from_db()
        assert connection.state == "connected"
        assert slot_of(connection).due_at <= Credential.objects.get(pk=connection.pk).issued_at, "and is tried at once"
        assert renew.renew_now(connection.id) is Outcome.RENEWED

    def test_the_same_answer_twice_is_kept_once(self, connect):
        connection = connect()
        answer = sent(attempt(connection))
        revoke.end_here(connection, actor=STAFF)
        renewal_steps.conclude([answer])
        renewal_steps.conclude([answer])
        late = CredentialOrphan.objects.filter(connection_id=connection.pk, fence=answer.attempt.claim.fence)
        assert late.count() == 1

    def test_one_from_before_a_disconnect_is_revoked_though_the_customer_is_back(self, connect, local_provider):
        connection = connect()
        answer = sent(attempt(connection))
        revoke.disconnect(connection, actor=STAFF)
        assert sign_in_again(connection) == "connected"
        renewal_steps.conclude([answer])
        late = CredentialOrphan.objects.get(connection_id=connection.pk, fence=answer.attempt.claim.fence)
        assert late.outcome == "revoke"
        tell_the_provider()
        assert [grant["alive"] for grant in local_provider.grants()] == [False, True]
        assert renew.renew_now(connection.pk) is Outcome.RENEWED


class TestHeldPairs:
    """Another line of tokens lives: the pair is kept for a day, and then let go unless it may be the one that works."""

    @pytest.fixture
    def held(self, connect) -> Connection:
        connection = connect()
        answer = sent(attempt(connection))
        assert sign_in_again(connection) == "connected"
        renewal_steps.conclude([answer])
        assert self.outcome() == "held"
        return connection

    def outcome(self) -> str:
        return str(CredentialOrphan.objects.get().outcome)

    def grow_old(self, **age: int) -> None:
        CredentialOrphan.objects.update(created_at=Now() - timedelta(**age))

    def test_is_let_go_a_day_later_when_the_other_has_been_renewed(self, held):
        assert renew.renew_now(held.pk) is Outcome.RENEWED
        self.grow_old(hours=23)
        assert orphans.let_go_of_superseded() == 0
        self.grow_old(hours=25)
        sweep.purge_ended()
        assert (self.outcome(), bytes(CredentialOrphan.objects.get().sealed)) == ("superseded", b"")
        assert AuditEvent.objects.filter(connection_id=held.pk, action="credential.superseded").exists()

    def test_is_kept_as_long_as_the_other_has_not(self, held):
        self.grow_old(days=9)
        Credential.objects.update(issued_at=Now() - timedelta(days=10))
        assert orphans.let_go_of_superseded() == 0
        assert self.outcome() == "held"

    def test_is_revoked_with_the_connection(self, held, local_provider):
        revoke.disconnect(held, actor=STAFF)
        assert local_provider.grants(alive="true") == []

    def test_the_same_refresh_token_is_not_held_beside_itself(self, connect):
        connection = connect()
        ready = attempt(connection)
        response = TokenResponse(
            access_token=Secret("another access token"),
            refresh_token=_stored(connection).refresh_token,
            expires_in=3600,
        )
        renewal_steps.mark([ready])
        another_claims(connection)
        orphans.keep_late(
            connection,
            ready.claim.fence,
            credentials.merge(response, None, ()),
            OAuthCredential(access_token=Secret("a"), refresh_token=Secret("of another line")),
            3600.0,
            0.5,
        )
        assert not CredentialOrphan.objects.exists()


def _stored(connection: Connection) -> OAuthCredential:
    held = credentials.open_current(connection.credential, connection.tenant_id)
    assert isinstance(held, OAuthCredential)
    return held
