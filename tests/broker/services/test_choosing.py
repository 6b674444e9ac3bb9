"""One sign-in that reaches several companies: the customer picks one, and nothing is connected before."""

from datetime import timedelta

import pytest
from django.utils import timezone

from broker.services import abandoned, authorize, choosing, credentials, parked, sweep
from broker.services.choosing import EntryRefused
from tenants.models import AuditEvent, AuthorizationRequest, Connection, Credential, RenewalSlot
from tests import people
from tests.broker.services import signed_in
from tests.broker.services.signed_in import INTEGRATIONS, link, reachable, run
from tests.house.canaries import dump
from tests.together import together

CONTEXTS = "visma-net.usercontexts"


@pytest.fixture
def several(settled, local_provider):
    return signed_in.visma_net(local_provider, "acme", "birch")


@pytest.fixture
def choice(settled, several):
    """A flow that waits for the customer."""
    return run(link(settled.aalto, INTEGRATIONS))


def again(flow):
    return AuthorizationRequest.objects.select_related("session", "registration", "data_key").get(pk=flow.pk)


def connection_of(flow):
    return Connection.objects.get(pk=again(flow).session.connection_id)


def refusal(flow, company):
    with pytest.raises(EntryRefused) as caught:
        choosing.choose_company(flow, company)
    return caught.value


def test_a_single_company_is_taken_at_once(settled, local_provider):
    signed_in.visma_net(local_provider, "acme")
    flow = run(link(settled.aalto, INTEGRATIONS))
    assert (flow.outcome, connection_of(flow).external_subject) == ("connected", "acme")


def test_several_are_offered_and_nothing_is_connected_yet(choice):
    assert (choice.status, choice.outcome) == ("choosing", "")
    assert [(each.id, each.name) for each in choosing.companies_of(again(choice))] == [
        ("acme", "ACME"),
        ("birch", "BIRCH"),
    ]
    assert not Connection.objects.exists()


def test_the_chosen_one_is_connected_and_never_renewed(choice):
    flow = choosing.choose_company(again(choice), "birch")
    assert (flow.outcome, flow.status) == ("connected", "consumed")
    connection = connection_of(flow)
    assert (connection.external_subject, connection.external_name) == ("birch", "BIRCH")
    held = credentials.open_current(connection.credential, connection.tenant_id)
    assert held.extras["company_id"] == "birch"
    assert connection.credential.expires_at is None
    assert RenewalSlot.objects.get(pk=connection.pk).state == "parked"
    assert again(choice).sealed_credential is None
    token = held.access_token.reveal().encode()
    assert not [value for value in dump() if token in value]


def test_a_company_that_the_tokens_do_not_reach_is_refused_and_can_be_corrected(choice, local_provider):
    for company in ("moon", "", "ACME", "acme' --"):
        assert (refusal(again(choice), company).code, again(choice).status) == ("unknown_company", "choosing")
    assert choosing.choose_company(again(choice), "acme").outcome == "connected"


def test_the_list_is_asked_anew(choice, local_provider):
    reachable(local_provider, "birch")
    assert refusal(again(choice), "acme").code == "unknown_company"
    assert choosing.choose_company(again(choice), "birch").outcome == "connected"


def test_a_provider_that_is_away_costs_nothing(choice, local_provider):
    endpoint = local_provider.log()[-1]["endpoint"]
    local_provider.fault(endpoint, "status", status=503, times=1)
    assert refusal(again(choice), "acme").code == "provider_unavailable"
    assert choosing.choose_company(again(choice), "acme").outcome == "connected"


def test_choosing_twice_at_once_connects_once(choice):
    together(
        lambda: choosing.choose_company(again(choice), "acme"), lambda: choosing.choose_company(again(choice), "birch")
    )
    assert Connection.objects.count() == 1
    assert choosing.choose_company(again(choice), "birch").outcome == "connected", "the page shows what happened"
    assert Connection.objects.count() == 1


def test_no_company_at_all_is_a_missing_right(settled, several, local_provider):
    reachable(local_provider)
    flow = run(link(settled.aalto, INTEGRATIONS))
    assert flow.outcome == "right_missing"
    assert not Connection.objects.exists()


class TestRepair:
    @pytest.fixture
    def connection(self, choice):
        return connection_of(choosing.choose_company(again(choice), "birch"))

    def test_takes_the_connections_own_company_unasked(self, settled, connection):
        flow = run(link(settled.aalto, INTEGRATIONS, repair=connection))
        assert (flow.outcome, connection_of(flow).pk) == ("connected", connection.pk)
        assert Credential.objects.get().version == 2

    def test_by_somebody_who_cannot_open_it_changes_nothing(self, settled, connection, local_provider):
        reachable(local_provider, "acme")
        flow = run(link(settled.aalto, INTEGRATIONS, repair=connection))
        assert (flow.outcome, Credential.objects.get().version) == ("account_mismatch", 1)
        waiting = parked.waiting(connection)
        assert waiting is not None
        assert (waiting.subject, waiting.name) == ("acme", "ACME")

    def test_that_is_taken_makes_it_the_other_company_s(self, settled, connection, local_provider):
        reachable(local_provider, "acme")
        run(link(settled.aalto, INTEGRATIONS, repair=connection))
        assert parked.take(connection, actor=people.STAFF)
        connection.refresh_from_db()
        held = credentials.open_current(connection.credential, connection.tenant_id)
        assert (connection.external_subject, held.extras["company_id"]) == ("acme", "acme")

    def test_by_somebody_who_opens_several_others_has_nothing_to_take(self, settled, connection, local_provider):
        reachable(local_provider, "acme", "cedar")
        flow = run(link(settled.aalto, INTEGRATIONS, repair=connection))
        assert (flow.outcome, parked.waiting(connection)) == ("account_mismatch", None)
        connection.refresh_from_db()
        assert connection.state == "connected"


class TestTooLate:
    def test_the_page_says_expired(self, choice):
        AuthorizationRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert choosing.companies_of(again(choice)) == ()
        assert choosing.choose_company(again(choice), "acme").outcome == "expired"
        assert not Connection.objects.exists()

    def test_the_tokens_are_shredded_and_the_timeline_says_so(self, choice):
        assert abandoned.end_abandoned() == 0, "not before its time"
        AuthorizationRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        sweep.purge_ended()
        flow = again(choice)
        assert (flow.sealed_credential, flow.status, flow.outcome) == (None, "consumed", "expired")
        event = AuditEvent.objects.get(action="authorization.abandoned")
        assert event.detail["revoked"] is False
        assert abandoned.end_abandoned() == 0

    def test_a_link_that_is_deleted_takes_no_unrevoked_tokens_along(self, choice):
        AuthorizationRequest.objects.update(expires_at=timezone.now() - timedelta(days=3))
        choice.session.__class__.objects.update(expires_at=timezone.now() - timedelta(days=3))
        assert sweep.purge_ended() > 0
        assert AuditEvent.objects.filter(action="authorization.abandoned").exists()


def test_a_choice_that_cannot_be_opened_ends_the_attempt(choice):
    AuthorizationRequest.objects.update(sealed_credential=b"\x01broken")
    assert choosing.companies_of(again(choice)) == ()
    assert choosing.choose_company(again(choice), "acme").outcome == "interrupted"


def test_only_the_browser_that_signed_in_finds_it(choice):
    with pytest.raises(authorize.AuthorizationResponseRefused):
        authorize.find_flow(choice.pk, lambda _: "another browser")


def test_where_the_provider_revokes_an_abandoned_choice_is_revoked(settled, local_provider):
    registration = signed_in.dinero(local_provider)
    flow = run(link(settled.aalto, registration.provider_id))
    assert flow.status == "choosing", flow.outcome
    AuthorizationRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert abandoned.end_abandoned() == 1
    assert AuditEvent.objects.get(action="authorization.abandoned").detail["revoked"] is True
