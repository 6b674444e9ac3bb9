"""Which row a new credential belongs to, and what is never overwritten."""

import pytest
from django.db.models.functions import Now

from broker.errors import InvalidRequest
from broker.services import authorize, renew, revoke, sessions
from broker.services.renewal_attempt import Outcome
from tenants import audit
from tenants.models import (
    AuditEvent,
    AuthorizationRequest,
    ClientRegistration,
    Connection,
    Credential,
    CredentialOrphan,
    RenewalSlot,
)
from tests import flows, people
from tests.broker.services.renewing import claim_due, make_due
from tests.fakes.sandbox import USER_OF_TWO

STAFF = audit.staff("tester")


def repair(connection, **at_the_sandbox):
    link = sessions.create(connection.tenant, [people.PROVIDER], connection=connection, actor=STAFF)
    return flows.run(link.session, **at_the_sandbox)


def test_a_connection_knows_whose_account_it_is(connect, local_provider):
    connection = connect()
    assert connection.external_name == "Acme Oy"
    assert connection.external_issuer == local_provider.url
    assert connection.external_subject


def test_repairing_keeps_the_id_and_renews_again(connect, local_provider):
    connection = connect()
    local_provider.change_password(password="sandbox-password-2")
    renew.renew_now(connection.id)
    assert renew.renew_now(connection.id) is Outcome.DEAD
    assert repair(connection, password="sandbox-password-2").outcome == "connected"
    connection.refresh_from_db()
    assert (connection.state, connection.reason) == ("connected", "")
    assert Connection.objects.count() == 1
    assert RenewalSlot.objects.get(pk=connection.id).state == "scheduled"
    assert renew.renew_now(connection.id) is Outcome.RENEWED


def test_connecting_the_same_company_again_finds_its_connection(connect):
    first = connect()
    assert connect().id == first.id


def test_a_disconnected_connection_comes_back_under_its_id(connect):
    first = connect()
    revoke.disconnect(first, actor=STAFF)
    again = connect()
    assert (again.id, again.state) == (first.id, "connected")


def test_another_company_never_replaces_the_one_that_is_connected(connect, local_provider):
    connection = connect()
    flow = repair(connection, username=USER_OF_TWO)
    assert flow.outcome == "account_mismatch"
    connection.refresh_from_db()
    assert connection.external_name == "Acme Oy"
    assert Credential.objects.get(pk=connection.id).version == connection.credential.version
    assert CredentialOrphan.objects.get(connection_id=connection.id).outcome == "parked"
    assert [grant["alive"] for grant in local_provider.grants(user=USER_OF_TWO)] == [True]
    assert [grant["alive"] for grant in local_provider.grants(user="anna@acme.example")] == [True]


def test_a_company_that_cannot_be_asked_for_does_not_replace_it_either(connect, local_provider):
    connection = connect()
    local_provider.fault("companysettings", "status", status=500)
    assert repair(connection).outcome == "account_unconfirmed"
    assert Credential.objects.get(pk=connection.id).version == connection.credential.version


def test_a_first_connection_is_kept_although_the_company_cannot_be_asked_for(settled, local_provider):
    local_provider.fault("companysettings", "status", status=500)
    link = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
    flow = flows.run(link.session)
    assert flow.outcome == "connected"
    assert flow.session.connection.external_name == ""


def test_the_code_is_sent_once_even_when_the_answer_is_lost(settled, local_provider):
    local_provider.fault("token", "drop_after")
    link = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
    assert flows.run(link.session).outcome == "provider_unavailable"
    assert len(local_provider.log(endpoint="token")) == 1


def test_a_refused_registration_is_an_incident_and_the_customer_can_start_again(settled, local_provider):
    local_provider.update_client(client_secret="changed at the provider")
    link = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
    flow = flows.run(link.session)
    assert flow.outcome == "registration_rejected"
    settled.registration.refresh_from_db()
    assert settled.registration.incident == "invalid_client"
    local_provider.update_client(client_secret="sandbox secret: 100% +/& ä")
    assert flows.come_back(authorize.begin_again(flow)).outcome == "connected"


def test_a_secret_that_cannot_be_opened_ends_the_attempt_and_blames_nobody(settled, local_provider):
    link = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
    ClientRegistration.objects.update(sealed_secrets=b"\x01broken")
    assert flows.run(link.session).outcome == "interrupted"
    assert local_provider.log(endpoint="token") == []


def test_an_older_tab_that_fails_late_does_not_undo_a_connection(settled, local_provider):
    link = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
    first = authorize.begin(link.session, people.PROVIDER)
    flow = AuthorizationRequest.objects.select_related("session", "registration").get(pk=first.flow_id)
    second = authorize.begin_again(flow)
    assert flows.come_back(second).outcome == "connected"
    assert flows.come_back(first, allow=False).outcome == "access_denied"
    link.session.refresh_from_db()
    assert link.session.outcome == "connected"


def test_a_provider_that_the_link_is_not_for_does_not_use_it_up(settled, local_provider):
    link = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
    with pytest.raises(InvalidRequest):
        authorize.begin(link.session, "another-provider")
    assert flows.run(link.session).outcome == "connected"


class TestDisconnect:
    def test_revokes_at_the_provider_and_keeps_no_token(self, connect, local_provider):
        connection = connect()
        assert revoke.disconnect(connection, actor=STAFF) is True
        assert [grant["alive"] for grant in local_provider.grants()] == [False]
        assert not Credential.objects.exists()
        assert bytes(CredentialOrphan.objects.get().sealed) == b""

    def test_takes_effect_at_once_and_tells_a_provider_that_is_down_later(self, connect, local_provider):
        connection = connect()
        local_provider.fault("revocation", "status", status=503, times=1)
        assert revoke.disconnect(connection, actor=STAFF) == "pending"
        assert revoke.disconnect(connection, actor=STAFF) == "pending", "asked again, still not told"
        connection.refresh_from_db()
        assert connection.state == "disconnected"
        assert revoke.due_revocations(limit=5) == [], "not again at once"
        assert revoke.revoke_orphan(CredentialOrphan.objects.get().pk) is True
        assert revoke.revocation_of(connection.id) is True
        assert [grant["alive"] for grant in local_provider.grants()] == [False]

    def test_works_for_a_credential_that_cannot_be_opened(self, connect):
        connection = connect()
        Credential.objects.update(sealed=b"\x01broken")
        assert revoke.disconnect(connection, actor=STAFF) is False, "nobody could tell the provider"
        connection.refresh_from_db()
        assert connection.state == "disconnected"
        assert AuditEvent.objects.filter(action="credential.unreadable").exists()

    def test_suspending_stops_and_resuming_starts_again(self, connect):
        connection = connect()
        revoke.suspend(connection, actor=STAFF)
        assert renew.renew_now(connection.id) is Outcome.BUSY
        assert claim_due() == [], "a suspended connection is not due"
        assert revoke.resume(connection, actor=STAFF) is True
        assert renew.renew_now(connection.id) is Outcome.RENEWED

    def test_resuming_does_not_bring_back_what_was_disconnected_meanwhile(self, connect):
        connection = connect()
        revoke.suspend(connection, actor=STAFF)
        stale = Connection.objects.get(pk=connection.id)
        revoke.disconnect(connection, actor=STAFF)
        assert revoke.resume(stale, actor=STAFF) is False
        connection.refresh_from_db()
        assert connection.state == "disconnected"

    def test_only_staff_end_a_suspension(self, connect):
        connection = connect()
        revoke.suspend(connection, actor=STAFF)
        before = connection.credential.version
        assert repair(connection).outcome == "connected"
        connection.refresh_from_db()
        assert connection.state == "suspended"
        assert Credential.objects.get(pk=connection.id).version > before, "the new tokens wait for staff"
        assert renew.renew_now(connection.id) is Outcome.BUSY

    def test_a_slot_that_is_due_although_nothing_is_to_be_renewed_is_parked(self, connect):
        connection = connect()
        Connection.objects.update(state="suspended")
        make_due(connection)
        assert renew.renew_now(connection.id) is Outcome.FRESH
        assert claim_due() == []

    def test_a_request_that_was_out_when_staff_suspended_stays_in_doubt(self, connect):
        connection = connect()
        RenewalSlot.objects.filter(pk=connection.id).update(intent="sending", intent_at=Now())
        revoke.suspend(connection, actor=STAFF)
        revoke.resume(connection, actor=STAFF)
        assert RenewalSlot.objects.get(pk=connection.id).uncertain_at is not None
