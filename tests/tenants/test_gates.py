"""The circuit of a registration: when it opens, how it is tried, how it closes; and the bucket of a declared limit."""

import pytest

from tenants.models import RegistrationGate
from tenants.querysets import gates
from tests.tenants.gate_rows import due, new_gate, passed, read, standing, take, told
from tests.together import together

pytestmark = pytest.mark.django_db


class TestTheCircuit:
    def test_half_of_twenty_failures_open_it(self):
        gate = new_gate()
        assert told(gate, sent=19, failed=10) == ("closed", "")
        assert told(gate, sent=1) == ("open", "outage")
        assert take(gate) == 0

    def test_fewer_than_half_do_not(self):
        gate = new_gate()
        assert told(gate, sent=40, failed=19) == ("closed", "")
        assert take(gate) == 200

    def test_only_the_last_half_minute_counts(self):
        gate = new_gate()
        told(gate, sent=19, failed=19)
        passed(gate, 31)
        assert told(gate, sent=10, failed=1) == ("closed", "")

    def test_it_stays_open_for_five_seconds_and_twice_as_long_each_time_up_to_five_minutes(self):
        gate, waits = new_gate(), []
        told(gate, sent=20, failed=20)
        for _ in range(9):
            waits.append(round(read(gate).wait))
            due(gate)
            assert take(gate) == 1
            assert told(gate, sent=1, failed=1) == ("open", "outage")
        assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]

    def test_the_pauses_of_many_are_spread(self):
        waits = set()
        for chance in (0.0, 0.5, 1.0):
            gate = new_gate()
            told(gate, sent=20, failed=20, chance=chance)
            waits.add(round(read(gate).wait))
        assert waits == {4, 5, 6}

    def test_it_is_tried_with_1_2_4_8_and_so_on_until_64_have_succeeded(self):
        gate, steps = new_gate(state="open", cause="outage"), []
        while standing(gate)[0] != "closed":
            steps.append(take(gate))
            assert take(gate) == 0, "no more of this step"
            told(gate, sent=steps[-1])
        assert steps == [1, 2, 4, 8, 16, 32, 64]
        assert standing(gate) == ("closed", "")

    def test_some_failures_among_many_successes_do_not_open_it_again(self):
        gate = new_gate(state="half_open", cause="outage", probes=16, step=15)
        told(gate, sent=16, failed=2)
        assert standing(gate) == ("half_open", "outage")

    def test_a_probe_whose_answer_never_came_is_replaced(self):
        gate = new_gate(state="open", cause="outage")
        assert take(gate) == 1
        assert take(gate) == 0
        passed(gate, 21)
        assert take(gate) == 1

    def test_where_there_are_few_connections_time_closes_it(self):
        gate = new_gate(state="half_open", cause="outage", step=6)
        assert told(gate, sent=2) == ("half_open", "outage")
        passed(gate, 601)
        assert told(gate, sent=1) == ("closed", "")

    @pytest.mark.django_db(transaction=True)
    def test_many_processes_take_no_more_probes_than_there_are(self):
        gate = new_gate(state="half_open", cause="outage", probes=8)
        taken = together(*(lambda: take(gate, 3) for _ in range(6)))
        assert sum(taken) == 8


class TestCauses:
    def test_an_incident_is_not_hidden_by_an_outage_or_a_429(self):
        gate = new_gate()
        gates.open_for(gate, cause=gates.INCIDENT, seconds=60)
        gates.open_for(gate, cause=gates.THROTTLED, seconds=600)
        assert standing(gate) == ("open", "incident")
        assert read(gate).wait > 500, "but the provider asked us to wait that long"

    def test_a_success_while_open_ends_an_incident_s_pause_but_not_mass_refusals(self):
        incident, doubted = (new_gate(state="open", cause=cause) for cause in ("incident", "doubts"))
        assert told(incident, sent=1, granted=1) == ("open", "incident"), "it had left before"
        passed(incident, 16)
        passed(doubted, 16)
        assert told(incident, sent=1, granted=1) == ("half_open", "incident")
        assert told(doubted, sent=1, granted=1) == ("open", "doubts")

    def test_since_when_is_when_it_changed_not_when_it_was_reported_again(self):
        gate = new_gate()
        gates.open_for(gate, cause=gates.INCIDENT, seconds=60)
        passed(gate, 3600)
        before = read(gate).changed_at
        gates.open_for(gate, cause=gates.INCIDENT, seconds=60)
        assert read(gate).changed_at == before

    def test_trying_now_lets_one_through(self):
        gate = new_gate()
        assert not gates.try_now(gate)
        gates.open_for(gate, cause=gates.INCIDENT, seconds=60)
        assert gates.try_now(gate)
        assert take(gate) == 1
        assert take(gate) == 0

    def test_a_new_secret_is_tried_by_one(self):
        gate = new_gate(preferred_secret=1)
        gates.try_secret(gate)
        assert standing(gate) == ("half_open", "canary")
        assert read(gate).preferred_secret == 0
        assert take(gate) == 1
        assert take(gate) == 0
        assert told(gate, sent=1, granted=1) == ("half_open", "canary")
        assert take(gate) == 2

    def test_a_gate_without_trouble_is_not_worth_a_note(self):
        new_gate(window_at="2020-01-01T00:00:00Z")
        assert gates.noteworthy() == []


class TestTheBucket:
    @staticmethod
    def _take(gate, wanted, *, rate=10.0, burst=30.0):
        return gates.take(gate, wanted=wanted, rate=rate, burst=burst)

    def test_gives_a_burst_and_then_what_time_refills(self):
        gate = new_gate()
        assert self._take(gate, 50) == 30
        assert self._take(gate, 50) == 0
        passed(gate, 1)
        assert self._take(gate, 50) == 10

    def test_holds_no_more_than_a_burst(self):
        gate = new_gate()
        self._take(gate, 30)
        passed(gate, 3600)
        assert self._take(gate, 50) == 30

    def test_what_was_sent_on_demand_counts_against_it(self):
        gate = new_gate()
        gates.spend(gate, spent=25, rate=10.0, burst=30.0)
        assert self._take(gate, 50) == 5

    def test_a_storm_on_demand_is_paid_off_within_a_minute(self):
        gate = new_gate()
        gates.spend(gate, spent=100_000, rate=10.0, burst=30.0)
        passed(gate, 61)
        assert self._take(gate, 50) >= 9

    @pytest.mark.django_db(transaction=True)
    def test_is_shared_by_all_processes(self):
        gate = new_gate()
        taken = together(*(lambda: self._take(gate, 10, rate=0.001) for _ in range(8)))
        assert sum(taken) == 30

    def test_a_probe_needs_a_permit_too(self):
        gate = new_gate(state="open", cause="outage", bucket=0.0)
        assert self._take(gate, 5, rate=0.001) == 0
        assert standing(gate) == ("open", "outage")


def test_a_registration_that_is_gone_is_nobody_s_business():
    gate = new_gate()
    RegistrationGate.objects.all().delete()
    assert gates.one(gate) is None
    gates.ensure(gate)
    assert standing(gate) == ("closed", "")
