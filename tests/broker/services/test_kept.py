"""Opened secrets are kept for a moment, for exactly what they were opened from, and no longer."""

import pytest

from broker.services.kept import Kept


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def opening(found: list[str], value: str):
    def run() -> str:
        found.append(value)
        return value

    return run


def test_the_same_source_is_opened_once():
    opened, keeper = [], Kept(seconds=30, most=10, clock=Clock())
    for _ in range(3):
        assert keeper.get("row", (b"sealed", 1), opening(opened, "secret")) == "secret"
    assert opened == ["secret"]


def test_a_changed_source_is_opened_anew():
    opened, keeper = [], Kept(seconds=30, most=10, clock=Clock())
    keeper.get("row", (b"sealed", 1), opening(opened, "old"))
    assert keeper.get("row", (b"sealed", 2), opening(opened, "new")) == "new"


def test_what_has_expired_is_opened_anew_and_leaves_memory():
    clock = Clock()
    opened, keeper = [], Kept(seconds=30, most=10, clock=clock)
    keeper.get("row", (1,), opening(opened, "secret"))
    clock.now += 31
    keeper.get("other", (1,), opening(opened, "other"))
    assert list(keeper._entries) == ["other"]
    keeper.get("row", (1,), opening(opened, "secret"))
    assert opened == ["secret", "other", "secret"]


def test_no_more_than_so_many():
    keeper = Kept(seconds=30, most=3)
    for number in range(10):
        keeper.get(number, (), lambda: "secret")
    assert list(keeper._entries) == [7, 8, 9]


def test_what_does_not_open_is_not_kept():
    keeper = Kept(seconds=30, most=3)

    def broken() -> str:
        raise ValueError

    with pytest.raises(ValueError):
        keeper.get("row", (), broken)
    assert keeper.get("row", (), lambda: "secret") == "secret"
