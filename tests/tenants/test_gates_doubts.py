"""The budget of doubts: how many refusals may be laid at customers' doors before the registration is suspected."""

import pytest

from tenants.querysets import gates, trials
from tests.tenants.gate_rows import due, new_gate, passed, read, standing, take, told
from tests.together import together

pytestmark = pytest.mark.django_db


def refused(gate, *, ends=False):
    found = trials.doubt(gate, ends=ends)
    assert found is not None
    return found.allowed


def left(gate):
    return round(read(gate).doubts, 2)


def test_twenty_refusals_count_and_the_last_of_them_opens_the_gate():
    gate = new_gate()
    assert [refused(gate) for _ in range(19)] == [True] * 19
    assert standing(gate) == ("closed", "")
    last = trials.doubt(gate, ends=False)
    assert (last.allowed, last.opened) == (True, True)
    assert standing(gate) == ("open", "doubts")
    again = trials.doubt(gate, ends=False)
    assert (again.allowed, again.opened) == (False, False)


@pytest.mark.django_db(transaction=True)
def test_of_200_at_the_same_moment_at_most_20_count_and_one_opens_the_gate():
    gate = new_gate()
    batches = together(*([lambda: [trials.doubt(gate, ends=False) for _ in range(34)]] * 6))
    found = [one for batch in batches for one in batch]
    assert sum(one.allowed for one in found) == 20
    assert sum(one.opened for one in found) == 1


def test_twenty_successes_earn_one():
    gate = new_gate(doubts=3.0)
    told(gate, sent=20, granted=20)
    assert left(gate) == 4.0


def test_nothing_is_earned_beyond_the_whole():
    gate = new_gate(doubts=19.9)
    told(gate, sent=200, granted=200)
    assert left(gate) == 20.0


def test_time_earns_twenty_an_hour_but_only_while_closed():
    closed, opened, tried = (
        new_gate(state=state, cause="doubts", doubts=0.0) for state in ("closed", "open", "half_open")
    )
    for gate in (closed, opened, tried):
        passed(gate, 1800)
    assert (left(closed), left(opened), left(tried)) == (10.0, 0.0, 0.0)


def test_the_time_for_which_it_was_open_earns_nothing_afterwards():
    gate = new_gate(state="half_open", cause="outage", doubts=1.0, step=63)
    passed(gate, 3600)
    assert told(gate, sent=1) == ("closed", "")
    assert left(gate) == 1.0


def test_to_end_a_connection_takes_a_closed_gate_and_half_of_the_budget():
    gate = new_gate(doubts=11.0)
    assert [refused(gate, ends=True) for _ in range(3)] == [True, True, False]
    assert standing(gate) == ("closed", ""), "and never opens it"
    assert not refused(new_gate(state="half_open", cause="canary"), ends=True)


def test_it_is_probed_once_a_minute():
    gate = new_gate(state="open", cause="doubts", doubts=0.0)
    assert take(gate) == 1
    assert not refused(gate)
    assert take(gate) == 0
    passed(gate, 61)
    assert take(gate) == 1


def test_a_provider_that_has_recovered_is_trusted_again_after_64_successes():
    gate, steps = new_gate(state="open", cause="doubts", doubts=0.0), []
    while standing(gate)[0] != "closed":
        steps.append(take(gate))
        told(gate, sent=steps[-1], granted=steps[-1])
    assert steps == [1, 2, 4, 8, 16, 32, 64]
    assert left(gate) > 3


def test_where_half_are_refused_for_good_the_other_half_goes_on_but_nobody_is_blamed():
    gate, renewed = new_gate(state="open", cause="doubts", doubts=0.0), 0
    for _ in range(60):
        good = take(gate, 10)
        for _ in range(good):
            assert not refused(gate)
        told(gate, sent=2 * good, granted=good)
        renewed += good
    assert renewed > 300
    assert standing(gate) == ("half_open", "doubts")


def test_definite_answers_alone_do_not_end_mass_refusals():
    gate = new_gate(state="half_open", cause="doubts", probes=1)
    told(gate, sent=64)
    assert standing(gate) == ("half_open", "doubts")
    assert read(gate).step == 0


def test_refusals_while_an_incident_pauses_renewals_do_not_change_what_is_told():
    gate = new_gate(state="open", cause="incident", doubts=1.0)
    assert refused(gate)
    assert not refused(gate)
    assert standing(gate) == ("open", "incident")


def test_a_new_secret_leaves_too_little_trust_to_end_more_than_one_by_one_voice():
    gate = new_gate()
    gates.try_secret(gate)
    assert left(gate) == 10.0
    due(gate)
    assert [refused(gate) for _ in range(11)] == [True] * 10 + [False]
    assert standing(gate) == ("open", "doubts")
