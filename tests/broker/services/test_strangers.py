"""Made-up keys cost a query each only so many times a second; keys that are good are always looked up."""

import pytest

from broker.errors import RateLimited
from broker.services.strangers import Strangers

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def wrong_until_refused(strangers: Strangers, source: str, at_most: int = 1000) -> int:
    """Return how many made-up keys were looked up before one was refused."""
    for number in range(at_most):
        try:
            strangers.check(key(number), source)
        except RateLimited:
            return number
        strangers.bad(key(number), source)
    return at_most


def test_wrong_keys_from_one_address_are_soon_refused_and_those_from_elsewhere_are_not():
    strangers = Strangers(Clock())
    assert wrong_until_refused(strangers, HERE) == 40
    strangers.check(key(5000), ELSEWHERE)


def test_the_budget_comes_back_with_time():
    clock = Clock()
    strangers = Strangers(clock)
    wrong_until_refused(strangers, HERE)
    clock.now += 0.5
    assert wrong_until_refused(strangers, HERE) == 10
    clock.now += 3600
    assert wrong_until_refused(strangers, HERE) == 40


def test_a_key_that_was_good_is_looked_up_whatever_comes_from_its_address():
    strangers = Strangers(Clock())
    strangers.good(key(1_000_000))
    wrong_until_refused(strangers, HERE)
    strangers.check(key(1_000_000), HERE)


def test_good_keys_cost_nothing_however_many_start_at_once():
    strangers = Strangers(Clock())
    for number in range(500):
        strangers.check(key(number), HERE)
        strangers.good(key(number))


def test_a_key_that_does_not_open_any_more_is_a_stranger_again():
    strangers = Strangers(Clock())
    strangers.good(key(7))
    strangers.bad(key(7), HERE)
    wrong_until_refused(strangers, HERE)
    with pytest.raises(RateLimited) as refused:
        strangers.check(key(7), HERE)
    assert refused.value.retry_after == 1.0


def test_many_addresses_together_have_a_budget_as_well():
    strangers = Strangers(Clock())
    tried = sum(wrong_until_refused(strangers, f"192.0.2.{number}") for number in range(100))
    assert tried == 200


def test_what_is_remembered_is_bounded():
    clock = Clock()
    strangers = Strangers(clock)
    for number in range(12_000):
        clock.now += 1
        strangers.bad(key(number), f"address {number}")
        strangers.good(key(number))
    assert len(strangers._left) <= 10_000
    assert len(strangers._known) <= 10_000
