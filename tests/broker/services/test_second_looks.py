"""Where nothing can be renewed, a refused credential is refused together with our own key: which of them is wrong?"""

import pytest

from broker.services import feedback, gates, secret_rotation, trying
from broker.services.feedback import Report
from providers.messages import Secret
from tenants import audit
from tenants.models import Connection, Credential, OutboxEvent, RegistrationGate, RenewalSlot
from tests import people
from tests.broker.services import many, typed_in
from tests.broker.services.typed_in import FILLED_IN, PARTNER_KEY

OTHER = {"customer_id": "XX_2222222222", "customer_key": "f" * 32, "organisation_id": "0201256-6"}
REFUSED = (
    '<?xml version="1.0" encoding="utf-8"?><Root><ResponseStatus><Status>FAILED</Status>'
    "<Status>AUTHENTICATION_FAILED :: Authentication failed</Status></ResponseStatus></Root>"
)


@pytest.fixture
def two(settled, local_provider):
    """Two customers at a provider that signs with the partner's key and the customer's, and names neither."""
    registration = typed_in.netvisor(local_provider)
    system = local_provider.system("netvisor")
    facts = {"key": OTHER["customer_key"], "organisation_id": OTHER["organisation_id"], "name": "B", "rights": True}
    system.put("customers", OTHER["customer_id"], facts)
    first = typed_in.enter(settled.aalto, "netvisor", FILLED_IN)
    second = typed_in.enter(settled.birch, "netvisor", OTHER)
    return registration, first, second


def report(connection):
    version = Credential.objects.get(pk=connection.pk).version
    fresh = Connection.objects.select_related("tenant", "registration").get(pk=connection.pk)
    return feedback.report(fresh, Report(status=200, version=version, body=REFUSED), actor=audit.caller("x")).verdict


def minutes_later(registration, connection):
    many.passed(registration, 61)
    RenewalSlot.objects.filter(pk=connection.pk).update(forced_version=None)


def customer_key(sandbox, key):
    sandbox.system("netvisor").change("customers", FILLED_IN["customer_id"], key=key)


def test_a_wrongly_replaced_partner_key_ends_nobody_however_often_it_is_reported(two, local_provider):
    registration, first, second = two
    local_provider.system("netvisor").change("partners", typed_in.PARTNER, key="z" * 32)
    for _ in range(4):
        for connection in (first, second):
            assert report(connection) == "provider_unavailable"
            minutes_later(registration, connection)
    assert many.states() == {("connected", "")}
    assert not OutboxEvent.objects.filter(type="connection.reauthorization_required").exists()


def test_while_somebody_else_s_credential_is_accepted_a_refused_one_is_dead(two, local_provider):
    _, first, second = two
    customer_key(local_provider, "z" * 32)
    assert report(first) == "confirmed_dead"
    assert Connection.objects.get(pk=second.pk).state == "connected"


def test_without_trust_it_takes_a_second_report_half_a_minute_later(two, local_provider):
    registration, first, _ = two
    for _ in range(6):
        gates.doubt(registration.pk)
    customer_key(local_provider, "z" * 32)
    assert report(first) == "provider_unavailable"
    assert report(first) == "provider_unavailable", "the same minute, and nothing is asked"
    RenewalSlot.objects.filter(pk=first.pk).update(forced_version=None)
    assert report(first) == "provider_unavailable", "asked too soon"
    minutes_later(registration, first)
    RegistrationGate.objects.update(doubts=14.0)
    assert report(first) == "confirmed_dead"


def test_a_credential_that_was_suspected_and_is_accepted_is_not_suspected_any_more(two, local_provider):
    registration, first, _ = two
    for _ in range(6):
        gates.doubt(registration.pk)
    customer_key(local_provider, "z" * 32)
    report(first)
    assert RenewalSlot.objects.get(pk=first.pk).suspect_version is not None
    customer_key(local_provider, typed_in.CUSTOMER_KEY)
    minutes_later(registration, first)
    assert report(first) == "not_a_token_problem"
    assert RenewalSlot.objects.get(pk=first.pk).suspect_version is None


def test_after_a_new_key_nobody_is_ended_until_it_has_been_accepted_once(two, local_provider):
    registration, first, second = two
    Connection.objects.filter(pk=second.pk).delete()
    secret_rotation.replace(registration, Secret("y" * 32), actor=people.STAFF)
    for _ in range(3):
        assert report(first) == "provider_unavailable"
        minutes_later(registration, first)
    assert many.states() == {("connected", "")}


def test_trying_now_asks_with_one_credential_where_nothing_is_renewed(two, local_provider):
    registration, *_ = two
    assert trying.try_now(registration, actor=people.STAFF) is trying.Tried.NOTHING_TO_TRY
    secret_rotation.replace(registration, Secret("y" * 32), actor=people.STAFF)
    assert trying.try_now(registration, actor=people.STAFF) is trying.Tried.REFUSED
    secret_rotation.replace(registration, Secret(PARTNER_KEY), actor=people.STAFF)
    assert trying.try_now(registration, actor=people.STAFF) is trying.Tried.ACCEPTED
