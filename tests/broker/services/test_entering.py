"""A filled-in form: proven by one real call, then stored; and everything that keeps it from being stored."""

import pytest

from broker.errors import ConnectLinkExpired, OperationUnsupported
from broker.services import authorize, credentials, entering, revoke
from broker.services.entering import EntryRefused
from providers.messages import EnteredCredential
from tenants.models import (
    AuditEvent,
    AuthorizationRequest,
    Connection,
    Credential,
    CredentialOrphan,
    OutboxEvent,
    RenewalSlot,
)
from tests import people
from tests.broker.services import typed_in
from tests.broker.services.typed_in import FILLED_IN, connection_of, enter, link
from tests.house.canaries import dump
from tests.together import together

NETVISOR = "netvisor"


@pytest.fixture
def netvisor(settled, local_provider):
    return typed_in.netvisor(local_provider)


def refusal(session, provider_id=NETVISOR, **changed):
    with pytest.raises(EntryRefused) as caught:
        entering.enter(session, provider_id, {**FILLED_IN, **changed})
    return caught.value


def nothing_is_stored():
    return not (Connection.objects.exists() or Credential.objects.exists() or CredentialOrphan.objects.exists())


class TestAccepted:
    def test_one_call_and_the_values_are_sealed(self, settled, netvisor, local_provider):
        session = link(settled.aalto, NETVISOR)
        started = entering.enter(session, NETVISOR, FILLED_IN)
        connection = connection_of(started)
        assert (connection.state, connection.reason) == ("connected", "")
        assert connection.external_subject == typed_in.BUSINESS_ID
        assert len(local_provider.log(endpoint="netvisor")) == 1
        held = credentials.open_current(connection.credential, connection.tenant_id)
        assert isinstance(held, EnteredCredential)
        assert {name: value.reveal() for name, value in held.fields.items()} == FILLED_IN
        assert connection.credential.expires_at is None
        assert RenewalSlot.objects.get(pk=connection.pk).state == "parked", "there is nothing to renew"
        assert not [value for value in dump() if typed_in.CUSTOMER_KEY.encode() in value]

    def test_the_result_page_is_for_the_browser_that_filled_it_in(self, settled, netvisor):
        started = entering.enter(link(settled.aalto, NETVISOR), NETVISOR, FILLED_IN)
        flow = authorize.find_flow(started.flow_id, lambda _: started.browser_secret)
        assert (flow.outcome, flow.status) == ("connected", "consumed")
        assert started.url.endswith(f"/connect/result/{flow.pk}")
        with pytest.raises(authorize.AuthorizationResponseRefused):
            authorize.find_flow(started.flow_id, lambda _: "another browser")

    def test_pasted_with_spaces_and_dashes(self, settled, netvisor):
        typed = {
            "customer_id": f" {typed_in.CUSTOMER}\u00a0",
            "customer_key": f"\u201c{typed_in.CUSTOMER_KEY}\u201d\n",
            "organisation_id": "0112038\u20139",
        }
        assert enter(settled.aalto, NETVISOR, typed).external_subject == typed_in.BUSINESS_ID

    def test_the_link_is_used_up_and_says_completed(self, settled, netvisor):
        session = link(settled.aalto, NETVISOR)
        entering.enter(session, NETVISOR, FILLED_IN)
        session.refresh_from_db()
        assert session.outcome == "connected"
        with pytest.raises(ConnectLinkExpired):
            entering.enter(session, NETVISOR, FILLED_IN)
        assert list(OutboxEvent.objects.values_list("type", flat=True)) == ["connection.connected"]

    def test_the_same_company_again_keeps_its_connection(self, settled, netvisor):
        first = enter(settled.aalto, NETVISOR, FILLED_IN)
        assert enter(settled.aalto, NETVISOR, FILLED_IN).pk == first.pk

    def test_a_replaced_key_keeps_the_connection_id(self, settled, netvisor, local_provider):
        first = enter(settled.aalto, NETVISOR, FILLED_IN)
        local_provider.system("netvisor").change("customers", typed_in.CUSTOMER, key="f" * 32)
        typed = {**FILLED_IN, "customer_key": "f" * 32}
        again = enter(settled.aalto, NETVISOR, typed, repair=first)
        assert again.pk == first.pk
        held = credentials.open_current(again.credential, again.tenant_id)
        assert held.fields["customer_key"].reveal() == "f" * 32
        assert (again.credential.version, again.credential.previous_version) == (2, 1)


class TestRefusedBeforeAnythingIsSent:
    @pytest.mark.parametrize(
        ("changed", "field", "problem"),
        [
            ({"organisation_id": "0112038-8"}, "organisation_id", "check_digit"),
            ({"organisation_id": "12"}, "organisation_id", "not_a_business_id"),
            ({"customer_id": ""}, "customer_id", "missing"),
            ({"customer_key": "x" * 1001}, "customer_key", "too_long"),
            ({"customer_key": "n\u00f6 spaces"}, "customer_key", "pattern"),
            ({"password": "x"}, "password", "unknown_field"),
        ],
    )
    def test_names_the_field_and_the_next_step(self, settled, netvisor, local_provider, changed, field, problem):
        session = link(settled.aalto, NETVISOR)
        refused = refusal(session, **changed)
        assert (refused.code, refused.fields, refused.problem) == ("value_refused", (field,), problem)
        assert refused.expected
        assert local_provider.log(endpoint="netvisor") == []
        session.refresh_from_db()
        assert (session.starts, session.consumed_at) == (0, None)
        assert nothing_is_stored()


class TestRefusedByTheProvider:
    def test_a_wrong_key_marks_what_is_likely_wrong_and_can_be_corrected(self, settled, netvisor):
        session = link(settled.aalto, NETVISOR)
        refused = refusal(session, customer_key="wrong" * 6)
        assert refused.code == "credential_refused"
        assert "customer_key" in refused.fields
        assert refused.explanation
        assert nothing_is_stored()
        session.refresh_from_db()
        assert (session.starts, session.consumed_at, session.outcome) == (1, None, "credential_refused")
        assert connection_of(entering.enter(session, NETVISOR, FILLED_IN)).state == "connected"
        assert AuditEvent.objects.get(action="authorization.failed").detail["outcome"] == "credential_refused"
        assert not [value for value in dump() if b"wrongwrong" in value]

    def test_a_missing_right_says_whose_turn_it_is(self, settled, netvisor, local_provider):
        local_provider.system("netvisor").change("customers", typed_in.CUSTOMER, rights=False)
        refused = refusal(link(settled.aalto, NETVISOR))
        assert (refused.code, nothing_is_stored()) == ("right_missing", True)
        assert refused.explanation

    @pytest.mark.parametrize(
        ("fault", "options", "code"),
        [
            ("status", {"status": 503}, "provider_unavailable"),
            ("drop_after", {}, "provider_unavailable"),
            ("html", {}, "response_malformed"),
        ],
    )
    def test_a_provider_in_trouble_loses_nothing(self, settled, netvisor, local_provider, fault, options, code):
        local_provider.fault("netvisor", fault, times=1, **options)
        session = link(settled.aalto, NETVISOR)
        assert (refusal(session).code, nothing_is_stored()) == (code, True)
        assert connection_of(entering.enter(session, NETVISOR, FILLED_IN)).state == "connected"

    def test_attempts_are_counted(self, settled, netvisor, settings):
        settings.CONNECT_MAX_STARTS = 2
        session = link(settled.aalto, NETVISOR)
        assert {refusal(session, customer_key="wrong" * 6).code for _ in range(2)} == {"credential_refused"}
        with pytest.raises(ConnectLinkExpired):
            entering.enter(session, NETVISOR, FILLED_IN)
        assert nothing_is_stored()

    def test_another_company_never_replaces_the_one_that_is_connected(self, settled, netvisor, local_provider):
        first = enter(settled.aalto, NETVISOR, FILLED_IN)
        local_provider.system("netvisor").put(
            "customers",
            "YY_1",
            {"key": "g" * 32, "organisation_id": typed_in.OTHER_BUSINESS_ID, "name": "Birch Oy", "rights": True},
        )
        session = link(settled.aalto, NETVISOR, repair=first)
        refused = refusal(
            session, customer_id="YY_1", customer_key="g" * 32, organisation_id=typed_in.OTHER_BUSINESS_ID
        )
        assert refused.code == "account_mismatch"
        assert Credential.objects.get().version == 1
        assert AuditEvent.objects.filter(action="authorization.account_mismatch", connection_id=first.pk).exists()
        assert entering.enter(session, NETVISOR, FILLED_IN)

    def test_a_form_that_is_not_there(self, settled):
        session = link(settled.aalto, people.PROVIDER)
        with pytest.raises(OperationUnsupported) as caught:
            entering.enter(session, people.PROVIDER, {})
        assert "authorizes" in caught.value.extra["supported"]

    def test_a_browser_flow_that_is_not_there(self, settled, netvisor):
        session = link(settled.aalto, NETVISOR)
        with pytest.raises(OperationUnsupported):
            authorize.begin(session, NETVISOR)
        assert entering.enter(session, NETVISOR, FILLED_IN), "the link is not used up by it"

    def test_a_secret_of_ours_that_cannot_be_opened(self, settled, netvisor, local_provider):
        type(netvisor).objects.update(sealed_secrets=b"\x01broken")
        assert refusal(link(settled.aalto, NETVISOR)).code == "interrupted"
        assert local_provider.log(endpoint="netvisor") == []


class TestTwoAtOnce:
    def test_a_form_that_is_sent_twice_makes_one_connection(self, settled, netvisor, local_provider):
        session = link(settled.aalto, NETVISOR)
        # So that both are at it when the first is answered: one that comes later finds the link used up.
        local_provider.set_latency(netvisor=1.0)
        one, two = together(*[lambda: entering.enter(session, NETVISOR, FILLED_IN)] * 2)
        assert connection_of(one).pk == connection_of(two).pk
        assert Connection.objects.count() == 1
        assert AuditEvent.objects.filter(action="credential.stored").count() == 1
        assert AuthorizationRequest.objects.filter(outcome="connected").count() == 2

    def test_two_links_for_one_company_make_one_connection(self, settled, netvisor):
        links = [link(settled.aalto, NETVISOR) for _ in range(2)]
        together(*[lambda each=each: entering.enter(each, NETVISOR, FILLED_IN) for each in links])
        assert Connection.objects.count() == 1


class TestDisconnect:
    def test_shreds_what_was_typed_in_and_tells_nobody(self, settled, netvisor, local_provider):
        connection = enter(settled.aalto, NETVISOR, FILLED_IN)
        sent = len(local_provider.log(endpoint="netvisor"))
        assert revoke.disconnect(connection, actor=people.STAFF) is False
        assert not Credential.objects.exists()
        assert not CredentialOrphan.objects.exists()
        assert len(local_provider.log(endpoint="netvisor")) == sent
        assert AuditEvent.objects.filter(action="credential.shredded").exists()
        assert enter(settled.aalto, NETVISOR, FILLED_IN).pk == connection.pk, "it comes back under its id"


class TestExclusiveCompanies:
    @pytest.fixture
    def fivaldi(self, settled, local_provider):
        return typed_in.fivaldi(local_provider)

    @pytest.mark.parametrize("typed", [typed_in.CUID, typed_in.BUSINESS_ID])
    def test_the_company_is_proven_and_kept_by_its_cuid(self, settled, fivaldi, typed):
        connection = enter(settled.aalto, "fivaldi", {"company": typed})
        assert (connection.external_subject, connection.state) == (typed_in.CUID, "connected")

    def test_a_company_of_another_tenant_is_refused_without_naming_it(self, settled, fivaldi):
        first = enter(settled.aalto, "fivaldi", {"company": typed_in.CUID})
        with pytest.raises(EntryRefused) as caught:
            entering.enter(link(settled.birch, "fivaldi"), "fivaldi", {"company": typed_in.BUSINESS_ID})
        assert (caught.value.code, Connection.objects.count()) == ("company_taken", 1)
        assert "aalto" not in str(vars(caught.value)).lower()
        told = AuditEvent.objects.get(action="authorization.company_taken")
        assert (told.tenant_id, told.connection_id) == (settled.birch.pk, None)
        assert told.detail["held_by"] == str(first.pk)

    def test_of_two_tenants_at_once_one_gets_it(self, settled, fivaldi):
        def attempt(tenant):
            try:
                return connection_of(
                    entering.enter(link(tenant, "fivaldi"), "fivaldi", {"company": typed_in.CUID})
                ).tenant_id
            except EntryRefused as error:
                return error.code

        said = together(lambda: attempt(settled.aalto), lambda: attempt(settled.birch))
        assert Connection.objects.filter(state="connected").count() == 1
        assert "company_taken" in said

    def test_once_the_other_tenant_has_disconnected_it_is_free(self, settled, fivaldi):
        first = enter(settled.aalto, "fivaldi", {"company": typed_in.CUID})
        revoke.disconnect(first, actor=people.STAFF)
        second = enter(settled.birch, "fivaldi", {"company": typed_in.CUID})
        assert second.tenant_id == settled.birch.pk
        with pytest.raises(EntryRefused, match="company_taken"):
            entering.enter(link(settled.aalto, "fivaldi", repair=first), "fivaldi", {"company": typed_in.CUID})
