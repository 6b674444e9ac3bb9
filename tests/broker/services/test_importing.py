"""Connections from elsewhere: proven first, stored whole or not at all, and a refresh token is never sent."""

import json

import pytest

from broker.services import choosing, credentials, importing, renew, revoke, sessions
from broker.services.renewal_attempt import Outcome
from tenants.models import AuditEvent, AuthorizationRequest, Connection, Credential, RenewalSlot
from tests import people
from tests.broker.services import signed_in, typed_in
from tests.house.canaries import dump

ENTERED = {"tenant": "aalto", "provider": "netvisor", "environment": "local", "entered": typed_in.FILLED_IN}


def imported(line, *, dry_run=False):
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    return importing.import_line(1, text, dry_run=dry_run, actor=people.STAFF).as_json()


@pytest.fixture
def netvisor(settled, local_provider):
    return typed_in.netvisor(local_provider)


@pytest.fixture
def tokens(connect, settled):
    """Tokens that Aalto's customer gave, as Birch would bring them from elsewhere."""
    held = credentials.open_current((made := connect()).credential, settled.aalto.pk)
    return {
        "tenant": "birch",
        "provider": people.PROVIDER,
        "environment": "local",
        "access_token": held.access_token.reveal(),
        "refresh_token": held.refresh_token.reveal(),
        "expires_in": 1800,
        "external_account": made.external_subject,
    }


class TestEntered:
    def test_is_proven_by_one_call_and_stored(self, netvisor, local_provider):
        said = imported(ENTERED)
        connection = Connection.objects.get()
        assert said == {"line": 1, "verdict": "stored", "connection": connection.pk}
        assert (connection.state, connection.external_subject) == ("connected", typed_in.BUSINESS_ID)
        assert len(local_provider.log(endpoint="netvisor")) == 1
        event = AuditEvent.objects.get(action="connection.imported")
        assert (event.actor_kind, event.detail) == ("staff", {"verified": True})
        assert not [value for value in dump() if typed_in.CUSTOMER_KEY.encode() in value]

    def test_again_it_is_there_already(self, netvisor):
        first = imported(ENTERED)
        assert imported(ENTERED) == {"line": 1, "verdict": "exists", "connection": first["connection"]}
        assert Credential.objects.get().version == 1

    def test_with_its_account_named_the_second_run_asks_nobody(self, netvisor, local_provider):
        line = {**ENTERED, "external_account": typed_in.BUSINESS_ID}
        imported(line)
        assert imported(line)["verdict"] == "exists"
        assert len(local_provider.log(endpoint="netvisor")) == 1

    def test_one_that_had_ended_comes_back(self, netvisor):
        first = imported(ENTERED)
        revoke.disconnect(Connection.objects.get(), actor=people.STAFF)
        assert imported(ENTERED) == first

    def test_a_dry_run_proves_and_stores_nothing(self, netvisor, local_provider):
        before = AuditEvent.objects.count()
        assert imported(ENTERED, dry_run=True) == {"line": 1, "verdict": "would_store"}
        assert len(local_provider.log(endpoint="netvisor")) == 1
        assert (Connection.objects.count(), Credential.objects.count()) == (0, 0)
        assert AuditEvent.objects.count() == before

    @pytest.mark.parametrize(
        ("changed", "reason", "field"),
        [
            ({"entered": {**typed_in.FILLED_IN, "customer_key": "wrong" * 6}}, "credential_refused", "customer_id, "),
            ({"entered": {**typed_in.FILLED_IN, "organisation_id": "1"}}, "not_a_business_id", "organisation_id"),
            ({"entered": {**typed_in.FILLED_IN, "Password!": "x"}}, "unknown_field", "(unknown)"),
            ({"external_account": typed_in.OTHER_BUSINESS_ID}, "account_mismatch", "external_account"),
            ({"tenant": "nobody"}, "tenant_not_found", None),
            ({"provider": "nobody"}, "provider_not_available", None),
            ({"provider": people.PROVIDER}, "unsupported_operation", None),
            ({"environment": "moon"}, "unknown_environment", "environment"),
            ({"environment": "test"}, "unknown_registration", "registration"),
            ({"registration": "nobody"}, "unknown_registration", "registration"),
        ],
    )
    def test_what_is_wrong_is_named_and_nothing_is_stored(self, netvisor, changed, reason, field):
        said = imported({**ENTERED, **changed})
        assert (said["verdict"], said["reason"]) == ("refused", reason)
        assert said.get("field", "").startswith(field or "")
        assert "wrong" not in json.dumps(said)
        assert not Connection.objects.exists()

    def test_a_registration_by_its_key_or_client_id(self, netvisor):
        for name in (netvisor.redirect_key, netvisor.client_id):
            assert imported({**ENTERED, "registration": name})["verdict"] in ("stored", "exists")

    def test_a_refused_registration_is_an_incident_but_not_in_a_dry_run(self, netvisor, local_provider):
        local_provider.fault("netvisor", "status", status=400, times=2)
        said = imported(ENTERED, dry_run=True)
        netvisor.refresh_from_db()
        assert (said["verdict"], netvisor.incident_since) == ("refused", None)


class TestTokens:
    def test_are_proven_by_the_access_token_alone(self, tokens, local_provider):
        before = len(local_provider.log(endpoint="token"))
        said = imported({key: value for key, value in tokens.items() if key != "external_account"})
        assert said["verdict"] == "stored"
        connection = Connection.objects.get(tenant__slug="birch")
        assert (connection.state, connection.external_name) == ("connected", "Acme Oy")
        assert len(local_provider.log(endpoint="token")) == before
        assert renew.renew_now(connection.pk) is Outcome.RENEWED

    def test_that_have_ended_are_stored_unasked_and_due_at_once(self, tokens, local_provider):
        before = len(local_provider.log())
        said = imported({**tokens, "expires_in": None, "expires_at": "2020-01-01T00:00:00Z"})
        assert said["verdict"] == "stored_unverified"
        assert len(local_provider.log()) == before
        slot = RenewalSlot.objects.get(pk=said["connection"])
        assert slot.state == "scheduled"
        assert renew.renew_now(said["connection"]) is Outcome.RENEWED
        assert imported({**tokens, "expires_in": 0})["verdict"] == "exists"

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"access_token": "not-a-token-that-works"}, "credential_refused"),
            ({"expires_in": 0, "refresh_token": None}, "expired"),
            ({"expires_in": 0, "external_account": ""}, "account_needed"),
            ({"external_account": "another"}, "account_mismatch"),
        ],
    )
    def test_that_do_not_work_are_refused(self, tokens, changed, reason):
        said = imported({**tokens, **changed})
        assert (said["verdict"], said["reason"]) == ("refused", reason)
        assert not Connection.objects.filter(tenant__slug="birch").exists()

    def test_a_provider_that_is_away_is_a_matter_of_another_run(self, tokens, local_provider):
        local_provider.fault("companysettings", "status", status=503, times=1)
        assert imported(tokens)["reason"] == "provider_unavailable"
        assert imported(tokens)["verdict"] == "stored"


class TestTokensThatReachSeveralCompanies:
    @pytest.fixture
    def line(self, settled, local_provider):
        """Tokens that never end, of a user with two companies, as another program would hold them."""
        signed_in.visma_net(local_provider, "acme", "birch")
        choice = signed_in.run(signed_in.link(settled.aalto, signed_in.INTEGRATIONS))
        held = choosing.open_held(AuthorizationRequest.objects.get(pk=choice.pk)).credential
        token = held.access_token.reveal()
        return {"tenant": "aalto", "provider": "visma-net", "environment": "local", "access_token": token}

    def test_the_company_is_named_and_checked(self, line):
        said = imported({**line, "extras": {"company_id": "birch"}})
        connection = Connection.objects.get(pk=said["connection"])
        assert (said["verdict"], connection.external_subject, connection.external_name) == ("stored", "birch", "BIRCH")
        assert connection.credential.expires_at is None
        assert RenewalSlot.objects.get(pk=connection.pk).state == "parked"
        assert imported({**line, "extras": {"company_id": "birch"}})["verdict"] == "exists"

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({}, "company_needed"),
            ({"extras": {"company_id": "moon"}}, "unknown_company"),
            ({"access_token": "dead", "extras": {"company_id": "acme"}}, "credential_refused"),
        ],
    )
    def test_what_is_wrong_is_named(self, line, changed, reason):
        said = imported({**line, **changed})
        assert (said["verdict"], said["reason"]) == ("refused", reason)

    def test_a_single_company_need_not_be_named(self, line, local_provider):
        signed_in.reachable(local_provider, "acme")
        assert imported(line)["verdict"] == "stored"


def test_where_nobody_can_be_asked_the_token_itself_says_whose_it_is(settled, local_provider):
    signed_in.visma_connect(local_provider)
    flow = signed_in.run(signed_in.link(settled.aalto, signed_in.ERP))
    held = credentials.open_current(Credential.objects.get(), settled.aalto.pk)
    line = {"tenant": "birch", "provider": signed_in.ERP, "environment": "local", "expires_in": 3600}
    line |= {"access_token": held.access_token.reveal(), "refresh_token": held.refresh_token.reveal()}
    before = len(local_provider.log())
    said = imported(line)
    assert (said["verdict"], len(local_provider.log())) == ("stored_unverified", before)
    assert Connection.objects.get(pk=said["connection"]).external_subject == signed_in.ACME
    assert flow.outcome == "connected"


def test_an_imported_connection_can_be_repaired_by_a_link(netvisor, settled):
    connection = Connection.objects.get(pk=imported(ENTERED)["connection"])
    assert sessions.repair_link(connection).session.connection == connection
