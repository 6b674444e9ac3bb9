"""The renewal algorithm as a small machine: nothing goes wrong in any state, and each of its rules is needed."""

import pytest

from tests.chaos_support import model
from tests.chaos_support.model import Model


@pytest.mark.parametrize("grace", [False, True], ids=["no grace", "a grace time"])
def test_no_state_that_can_be_reached_is_wrong(grace: bool) -> None:
    found = model.explore(Model(grace=grace))
    assert (found.problem, found.trace) == ("", ())
    assert found.states > 10_000


@pytest.mark.parametrize("rule", model.RULES)
def test_each_rule_is_missed_when_it_is_left_out(rule: str) -> None:
    assert model.explore(Model(grace=False, without=rule)).problem
