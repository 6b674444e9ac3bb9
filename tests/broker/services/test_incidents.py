"""Incidents: when our client is refused, and when only one request is; and how they end."""

import pytest

from broker.services import gates, incidents
from broker.services.gate_counts import Counts, counter
from broker.services.gate_view import view
from providers.errors import ClientRejected, RequestRefused
from tenants.models import ClientRegistration, Connection, OutboxEvent
from tests.broker.services import many

CLIENT = ClientRejected(status=401, error="invalid_client")
REQUEST = ClientRejected(status=400, error="invalid_request")


@pytest.fixture
def aalto(settled):
    """A connection of Aalto, as a worker has read it."""
    row = Connection.objects.create(
        tenant=settled.aalto,
        registration=settled.registration,
        provider_id=settled.registration.provider_id,
        state="connected",
    )
    view.forget()
    return Connection.objects.select_related("registration").get(pk=row.pk)


def events():
    return list(OutboxEvent.objects.order_by("id").values_list("type", flat=True))


def open_now(connection):
    return ClientRegistration.objects.filter(pk=connection.registration_id).exclude(incident_since=None).exists()


@pytest.mark.parametrize("error", [CLIENT, ClientRejected(error="unauthorized_client"), ClientRejected(status=401)])
def test_a_refused_client_pauses_the_registration(aalto, error):
    incidents.report(aalto, error)
    incidents.report(aalto, error)
    assert many.gate_of(aalto.registration) == ("open", "incident")
    assert events() == ["registration.incident"]


@pytest.mark.parametrize("error", [REQUEST, RequestRefused(problem="content", field="scope")])
def test_a_refused_request_is_an_incident_that_pauses_nobody_else(aalto, error):
    incidents.report(aalto, error)
    gates.flush()
    assert open_now(aalto)
    assert many.gate_of(aalto.registration)[0] == "closed"


def test_refused_requests_without_end_pause_it_all_the_same(aalto):
    for _ in range(20):
        incidents.report(aalto, REQUEST)
    gates.flush()
    assert many.gate_of(aalto.registration)[0] == "open"


def test_among_many_successes_one_refusal_may_be_meant_for_one_customer_s_token(aalto):
    for _ in range(10):
        incidents.heal(aalto)
    incidents.report(aalto, CLIENT)
    assert not open_now(aalto)
    assert gates.held() == frozenset()
    incidents.heal(aalto)
    incidents.report(aalto, CLIENT)
    incidents.report(aalto, CLIENT)
    assert not open_now(aalto), "a success came between"
    incidents.report(aalto, CLIENT)
    assert open_now(aalto)
    assert gates.held() == {aalto.registration_id}


def test_a_success_that_had_left_before_does_not_close_it(aalto):
    incidents.report(aalto, CLIENT)
    incidents.heal(aalto)
    assert open_now(aalto)
    assert many.gate_of(aalto.registration) == ("open", "incident")


def test_a_worker_that_read_the_row_before_it_opened_closes_it_all_the_same(aalto):
    stale = Connection.objects.select_related("registration").get(pk=aalto.pk)
    incidents.report(aalto, CLIENT)
    many.passed(aalto.registration, 61)
    assert gates.refused(aalto.registration_id) is None
    assert stale.registration.incident_since is None
    incidents.heal(stale)
    assert not open_now(aalto)
    assert events() == ["registration.incident", "registration.healed"]


def test_an_incident_without_a_gate_is_closed_by_a_success(aalto):
    incidents.report_for(aalto.registration, REQUEST)
    incidents.heal(Connection.objects.select_related("registration").get(pk=aalto.pk))
    assert not open_now(aalto)


def test_one_customer_s_success_does_not_end_mass_refusals(aalto):
    for _ in range(20):
        gates.doubt(aalto.registration_id)
    many.passed(aalto.registration, 61)
    gates.admit([])
    assert gates.refused(aalto.registration_id) is None
    incidents.heal(aalto)
    assert open_now(aalto)
    counter.add(aalto.registration_id, Counts(sent=63, granted=63))
    incidents.heal(aalto)
    assert not open_now(aalto)
