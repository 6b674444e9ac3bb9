"""Gates as services use them: what is held, admitted, refused on demand, and what is written of what was counted."""

from uuid import UUID

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker.services import gate_limits, gates
from broker.services.gate_counts import Counts, counter
from broker.services.gate_view import view
from tenants.models import RegistrationGate
from tenants.querysets.slots import Claim
from tests import people
from tests.broker.services import many

pytestmark = pytest.mark.django_db


@pytest.fixture
def unlimited(settled, monkeypatch):
    """The registration, of a provider that declares no limit."""
    monkeypatch.setitem(gate_limits._rates, settled.registration.pk, None)
    return settled.registration


@pytest.fixture
def limited(settled, monkeypatch):
    """The registration, with 600 requests a minute: 8 renewals a second, 24 at once."""
    monkeypatch.delitem(gate_limits._rates, settled.registration.pk, raising=False)
    return settled.registration


def claims(registration, count):
    return [
        Claim(
            connection_id=UUID(int=number),
            tenant_id=UUID(int=0),
            registration_id=registration.pk,
            fence=1,
            uncertain_for=None,
            suspect_version=None,
            attempts=0,
        )
        for number in range(count)
    ]


def admitted(registration, count=50):
    return len(gates.admit(claims(registration, count))[0])


class TestWithoutTrouble:
    def test_nothing_is_held_and_nothing_asked_of_the_database(self, unlimited):
        gates.held()
        with CaptureQueriesContext(database) as asked:
            assert gates.held() == frozenset()
            assert admitted(unlimited) == 50
            assert gates.refused(unlimited.pk) is None
        assert len(asked) <= 1, "the view, when it is a second old"
        assert not RegistrationGate.objects.exists()

    def test_successes_leave_no_row(self, unlimited):
        counter.add(unlimited.pk, Counts(sent=100, granted=100))
        gates.flush()
        assert not RegistrationGate.objects.exists()


class TestTheCircuit:
    def test_failures_open_it_for_all_processes(self, unlimited):
        for _ in range(20):
            gates.note(unlimited.pk, ok=False)
        gates.flush()
        assert many.gate_of(unlimited) == ("open", "outage")
        assert gates.held() == {unlimited.pk}
        assert admitted(unlimited) == 0
        shut = gates.refused(unlimited.pk)
        assert shut is not None
        assert shut.cause == "outage"
        assert 1 < shut.retry_after <= 7

    def test_refusals_of_grants_are_answers(self, unlimited):
        for _ in range(40):
            gates.note(unlimited.pk, ok=True)
        for _ in range(19):
            gates.note(unlimited.pk, ok=False)
        gates.flush()
        assert many.gate_of(unlimited) == ("closed", "")

    def test_a_request_that_somebody_waits_for_may_be_the_probe(self, unlimited):
        gates.throttle(unlimited.pk, 60)
        many.passed(unlimited, 61)
        assert gates.held() == frozenset()
        assert gates.refused(unlimited.pk) is None
        assert gates.refused(unlimited.pk) is not None, "one probe"
        assert many.gate_of(unlimited) == ("half_open", "throttled")
        assert gates.held() == {unlimited.pk}

    def test_while_it_is_tried_an_answer_counts_at_once(self, unlimited):
        gates.throttle(unlimited.pk, 60)
        many.passed(unlimited, 61)
        assert admitted(unlimited) == 1
        gates.note(unlimited.pk, ok=True)
        assert admitted(unlimited) == 2

    @pytest.mark.parametrize(("asked", "kept"), [(7, 7), (None, 30), (86_400, 3600)])
    def test_a_limit_on_our_application_pauses_all(self, unlimited, asked, kept):
        gates.throttle(unlimited.pk, asked)
        shut = gates.refused(unlimited.pk)
        assert shut is not None
        assert shut.cause == "throttled"
        assert shut.retry_after == pytest.approx(kept, abs=1)


class TestADeclaredLimit:
    def test_four_fifths_of_it_are_for_renewals_ahead_of_time(self, limited):
        assert admitted(limited) == 24
        assert admitted(limited) == 0
        many.passed(limited, 2)
        assert admitted(limited) == 16

    def test_an_empty_bucket_holds_the_registration_until_a_second_s_worth_is_there(self, limited):
        admitted(limited)
        assert gates.held() == {limited.pk}
        many.passed(limited, 0.5)
        assert gates.held() == {limited.pk}
        many.passed(limited, 0.6)
        assert gates.held() == frozenset()

    def test_who_waits_is_not_kept_waiting_but_counts(self, limited):
        admitted(limited)
        assert gates.refused(limited.pk) is None
        for _ in range(7):
            gates.refused(limited.pk)
        gates.flush()
        many.passed(limited, 2)
        assert admitted(limited) == 8

    def test_claims_of_others_are_not_turned_back_with_it(self, limited, settled):
        other = people.register_sandbox(client_id="other", redirect_key="other")
        gate_limits._rates[other.pk] = None
        mixed = [one for pair in zip(claims(limited, 40), claims(other, 40), strict=True) for one in pair]
        kept, turned_back = gates.admit(mixed)
        assert len(kept) == 24 + 40
        assert {claim.registration_id for claim in turned_back} == {limited.pk}


class TestDoubts:
    def test_one_report_may_end_a_connection_while_hardly_any_were_refused(self, unlimited):
        assert gates.enough_trust(unlimited.pk)
        assert [gates.doubt(unlimited.pk) for _ in range(5)] == [True] * 5
        assert gates.enough_trust(unlimited.pk)
        gates.doubt(unlimited.pk)
        assert not gates.enough_trust(unlimited.pk)

    def test_the_one_that_empties_the_budget_opens_the_gate(self, unlimited):
        assert [gates.doubt(unlimited.pk) for _ in range(22)] == [True] * 20 + [False] * 2
        assert many.gate_of(unlimited) == ("open", "doubts")
        unlimited.refresh_from_db()
        assert unlimited.incident == "mass_refusals"
        assert gates.held() == {unlimited.pk}

    def test_a_registration_that_was_deleted_meanwhile_breaks_nothing(self, db):
        gone = UUID(int=7)
        assert gates.doubt(gone)
        gates.note(gone, ok=False)
        gates.flush()
        gates.throttle(gone, 5)
        assert gates.refused(gone) is None
        view.forget()
