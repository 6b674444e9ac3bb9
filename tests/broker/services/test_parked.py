"""A sign-in with another company: the connection goes on, and what was brought waits for somebody's word."""

import dataclasses
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db.models.functions import Now
from msgspec import structs

from broker.services import (
    credential_text,
    credentials,
    directory,
    issue,
    keys,
    parked,
    renew,
    revoke,
    sessions,
    states,
    sweep,
)
from broker.services.renewal_attempt import Outcome
from broker.services.storing import CompanyTaken
from tenants.errors import TenantsError
from tenants.models import AuditEvent, Connection, ConnectSession, Credential, CredentialOrphan, RenewalSlot, State
from tests import flows, people
from tests.broker.services.renewing import events
from tests.fakes.sandbox import USER_OF_TWO

STAFF = people.STAFF
OURS, THEIRS = "anna@acme.example", USER_OF_TWO


@pytest.fixture
def connection(connect) -> Connection:
    return connect()


@pytest.fixture
def mismatch(connection):
    """Somebody has repaired it with another company."""
    return repair(connection, username=THEIRS)


@pytest.fixture
def exclusive(local_provider, monkeypatch):
    """As if the catalogue said that each of this provider's companies belongs to one tenant."""
    provider = directory.provider(people.PROVIDER)
    monkeypatch.setattr(provider, "definition", structs.replace(provider.definition, exclusive_accounts=True))


def repair(connection, **at_the_sandbox):
    link = sessions.create(connection.tenant, [people.PROVIDER], connection=connection, actor=STAFF)
    return flows.run(link.session, **at_the_sandbox)


def standing(connection):
    connection.refresh_from_db()
    return connection.state, connection.reason


def outcomes(connection):
    rows = CredentialOrphan.objects.filter(connection_id=connection.pk).order_by("pk")
    return [orphan.outcome for orphan in rows]


def alive(local_provider, user):
    return [grant["alive"] for grant in local_provider.grants(user=user)]


def tell_the_provider():
    for orphan_id in revoke.due_revocations(limit=10):
        revoke.revoke_orphan(orphan_id)


def without_refresh_token():
    """As if the provider had given what waits an access token alone."""
    orphan = CredentialOrphan.objects.select_related("data_key").get()
    alone = dataclasses.replace(credentials.open_orphan(orphan), refresh_token=None)
    sealed = credentials.seal_under(orphan.data_key, orphan.seal_context(), credential_text.encode(alone))
    orphan.sealed = sealed.blob
    orphan.save(update_fields=["sealed"])


class TestMeanwhile:
    def test_the_old_tokens_are_served_and_renewed_and_staff_are_told_once(self, connection, mismatch, local_provider):
        before = Credential.objects.get(pk=connection.pk).version
        assert mismatch.outcome == "account_mismatch"
        assert standing(connection) == ("degraded", "account_mismatch")
        assert connection.external_name == "Acme Oy"
        waiting = parked.waiting(connection)
        assert waiting is not None
        assert waiting.name == "Birch Books Oy"
        assert (waiting.until - waiting.since) == timedelta(days=7)
        assert renew.renew_now(connection.pk) is Outcome.RENEWED
        issued = issue.issue_to_operator(connection.pk, min_ttl=60, actor=STAFF)
        assert (issued.version > before, issued.degraded) == (True, "account_mismatch")
        assert (alive(local_provider, OURS), alive(local_provider, THEIRS)) == ([True], [True])
        assert events(connection, "connection.account_mismatch") == 1
        assert outcomes(connection) == ["parked"]

    def test_neither_a_renewal_nor_a_failure_settles_it(self, connection, mismatch, local_provider):
        assert renew.renew_now(connection.pk) is Outcome.RENEWED
        assert standing(connection) == ("degraded", "account_mismatch")
        local_provider.fault("token", "status", status=503, times=3)
        RenewalSlot.objects.update(attempts=5)
        assert renew.renew_now(connection.pk) is Outcome.UNAVAILABLE
        assert standing(connection) == ("degraded", "account_mismatch")
        stale = Connection.objects.get(pk=connection.pk)
        stale.state, stale.reason = "connected", ""
        assert not states.move(stale, State.CONNECTED, only_from=states.LIVE), "read before the sign-in came"
        assert events(connection, "connection.recovered") == 0

    def test_a_dead_grant_still_needs_the_customer(self, connection, mismatch, local_provider):
        local_provider.change_password(OURS)
        assert renew.renew_reported(connection.pk, version=connection.credential.version) is Outcome.DEAD
        assert standing(connection) == ("reauthorization_required", "grant_revoked")
        assert parked.waiting(connection) is not None

    def test_a_connection_that_needs_the_customer_stays_so_and_shows_it(self, connection, local_provider):
        local_provider.change_password(OURS)
        renew.renew_reported(connection.pk, version=connection.credential.version)
        assert repair(connection, username=THEIRS).outcome == "account_mismatch"
        assert standing(connection) == ("reauthorization_required", "grant_revoked")
        assert parked.waiting(connection) is not None
        assert events(connection, "connection.account_mismatch") == 1

    def test_the_last_of_two_sign_ins_waits(self, connection, mismatch, local_provider):
        repair(connection, username=THEIRS)
        assert outcomes(connection) == ["superseded", "parked"]
        local_provider.create_user("cleo@delta.example", "sandbox-password", "Delta Oy")
        repair(connection, username="cleo@delta.example")
        assert outcomes(connection) == ["superseded", "revoke", "parked"]
        assert events(connection, "connection.account_mismatch") == 1
        assert parked.waiting(connection).name == "Delta Oy"
        tell_the_provider()
        assert alive(local_provider, "cleo@delta.example") == [True]

    def test_a_suspended_connection_that_is_resumed_still_waits(self, connection):
        revoke.suspend(connection, actor=STAFF)
        repair(connection, username=THEIRS)
        assert standing(connection) == ("suspended", "staff")
        assert revoke.resume(connection, actor=STAFF)
        assert standing(connection) == ("degraded", "account_mismatch")

    def test_new_data_keys_seal_it_again(self, connection, mismatch):
        keys.renew_data_keys()
        assert keys.reseal().failed == set()
        orphan = CredentialOrphan.objects.select_related("data_key").get()
        assert orphan.data_key.active
        assert credentials.open_orphan(orphan).refresh_token is not None


class TestTaking:
    def test_makes_it_the_other_company_s(self, connection, mismatch, local_provider):
        before = Credential.objects.get(pk=connection.pk).version
        taken = parked.take(connection, actor=STAFF)
        assert taken is not None
        assert taken.name == "Birch Books Oy"
        assert standing(connection) == ("connected", "")
        assert connection.external_name == "Birch Books Oy"
        assert Credential.objects.get(pk=connection.pk).version > before
        assert events(connection, "connection.recovered") == 1
        tell_the_provider()
        assert (alive(local_provider, OURS), alive(local_provider, THEIRS)) == ([False], [True])
        assert renew.renew_now(connection.pk) is Outcome.RENEWED
        assert ConnectSession.objects.get(pk=mismatch.session_id).outcome == "connected"
        assert AuditEvent.objects.get(action="staff.account_taken").actor == "tester"

    def test_a_second_press_does_nothing(self, connection, mismatch):
        parked.take(connection, actor=STAFF)
        version = Credential.objects.get(pk=connection.pk).version
        assert parked.take(connection, actor=STAFF) is None
        assert parked.turn_away(connection, actor=STAFF) is False
        assert Credential.objects.get(pk=connection.pk).version == version

    def test_brings_back_a_connection_that_needed_the_customer(self, connection, local_provider):
        local_provider.change_password(OURS)
        renew.renew_reported(connection.pk, version=connection.credential.version)
        repair(connection, username=THEIRS)
        assert parked.take(connection, actor=STAFF)
        assert standing(connection) == ("connected", "")
        assert renew.renew_now(connection.pk) is Outcome.RENEWED

    def test_tokens_that_have_ended_meanwhile_are_renewed_at_once(self, connection, mismatch):
        CredentialOrphan.objects.update(expires_at=Now() - timedelta(days=3))
        parked.take(connection, actor=STAFF)
        assert RenewalSlot.objects.get(pk=connection.pk).due_at <= Credential.objects.get(pk=connection.pk).expires_at
        assert renew.renew_now(connection.pk) is Outcome.RENEWED

    def test_tokens_that_have_ended_and_cannot_be_renewed_are_refused(self, connection, mismatch):
        without_refresh_token()
        before = Credential.objects.get(pk=connection.pk).version
        CredentialOrphan.objects.update(expires_at=Now() - timedelta(seconds=1))
        with pytest.raises(parked.SignInEnded):
            parked.take(connection, actor=STAFF)
        assert Credential.objects.get(pk=connection.pk).version == before
        assert (outcomes(connection), connection.external_name) == (["parked"], "Acme Oy")
        CredentialOrphan.objects.update(expires_at=Now() + timedelta(minutes=5))
        assert parked.take(connection, actor=STAFF), "as long as they last they serve"

    def test_a_company_of_another_tenant_s_is_refused(self, settled, connect, connection, mismatch, exclusive):
        connect(settled.birch, username=THEIRS)
        with pytest.raises(CompanyTaken):
            parked.take(connection, actor=STAFF)
        assert standing(connection) == ("degraded", "account_mismatch")
        assert outcomes(connection) == ["parked"]

    def test_what_does_not_open_changes_nothing(self, connection, mismatch):
        CredentialOrphan.objects.update(sealed=b"\x01broken")
        fence = RenewalSlot.objects.get(pk=connection.pk).fence
        with pytest.raises(TenantsError):
            parked.take(connection, actor=STAFF)
        assert RenewalSlot.objects.get(pk=connection.pk).fence == fence
        assert renew.renew_now(connection.pk) is Outcome.RENEWED


class TestTurningAway:
    def test_revokes_it_and_the_connection_is_as_it_was(self, connection, mismatch, local_provider):
        assert parked.turn_away(connection, actor=STAFF)
        assert standing(connection) == ("connected", "")
        tell_the_provider()
        assert (alive(local_provider, OURS), alive(local_provider, THEIRS)) == ([True], [False])
        assert outcomes(connection) == ["revoked"]

    def test_what_else_was_wrong_is_said_again(self, connection, local_provider):
        Connection.objects.update(state="degraded", reason="right_missing")
        repair(connection, username=THEIRS)
        repair(connection, username=THEIRS)
        parked.turn_away(connection, actor=STAFF)
        assert standing(connection) == ("degraded", "right_missing")

    def test_what_has_passed_meanwhile_is_not(self, connection):
        Connection.objects.update(state="degraded", reason="provider_unavailable")
        repair(connection, username=THEIRS)
        parked.turn_away(connection, actor=STAFF)
        assert standing(connection) == ("connected", "")

    def test_rights_that_are_missing_are_missing_still(self, connection, mismatch):
        Connection.objects.update(scopes_granted=["ea:api"])
        parked.turn_away(connection, actor=STAFF)
        assert standing(connection) == ("degraded", "scope_missing")

    def test_the_right_company_turns_it_away(self, connection, mismatch, local_provider):
        assert repair(connection).outcome == "connected"
        assert standing(connection) == ("connected", "")
        tell_the_provider()
        assert alive(local_provider, THEIRS) == [False]
        assert parked.waiting(connection) is None

    def test_so_does_a_week(self, connection, mismatch, local_provider):
        CredentialOrphan.objects.update(created_at=Now() - timedelta(days=6, hours=23))
        sweep.purge_ended()
        assert outcomes(connection) == ["parked"]
        CredentialOrphan.objects.update(created_at=Now() - timedelta(days=7, seconds=1))
        sweep.purge_ended()
        assert standing(connection) == ("connected", "")
        local_provider.fault("revocation", "status", status=503, times=1)
        tell_the_provider()
        assert outcomes(connection) == ["revoke"], "the days of telling begin only now"
        CredentialOrphan.objects.update(due_at=Now())
        tell_the_provider()
        assert alive(local_provider, THEIRS) == [False]

    def test_disconnecting_revokes_it_too(self, connection, mismatch, local_provider):
        assert revoke.disconnect(connection, actor=STAFF) is True
        assert (alive(local_provider, OURS), alive(local_provider, THEIRS)) == ([False], [False])
        assert set(outcomes(connection)) == {"revoked"}


def test_beside_an_ended_connection_nothing_waits(connection, local_provider):
    revoke.disconnect(connection, actor=STAFF)
    assert repair(connection, username=THEIRS).outcome == "account_mismatch"
    assert standing(connection)[0] == "disconnected"
    tell_the_provider()
    assert alive(local_provider, THEIRS) == [False]


def test_nothing_that_waits_is_ever_handed_out(connection, mismatch, local_provider):
    orphan = CredentialOrphan.objects.select_related("data_key").get()
    theirs = credentials.open_orphan(orphan).access_token.reveal()
    issued = issue.issue_to_operator(connection.pk, min_ttl=60, actor=STAFF)
    assert issued.credential.access_token.reveal() != theirs
    with database.cursor() as cursor:
        cursor.execute("SELECT account::text, expires_at IS NULL FROM tenants_credentialorphan")
        described, endless = cursor.fetchone()
    assert theirs not in described
    assert not endless
