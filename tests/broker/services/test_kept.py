"""Opened secrets are kept for a moment, for exactly what they were opened from, and no longer."""

import time

import pytest

from broker.services import kept
from broker.services.kept import Kept


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    return now


def opening(found: list[str], value: str):
    def run() -> str:
        found.append(value)
        return value

    return run


def test_the_same_source_is_opened_once(clock):
    opened, keeper = [], Kept(seconds=30, most=10)
    for _ in range(3):
        assert keeper.get("row", (b"sealed", 1), opening(opened, "secret")) == "secret"
    assert opened == ["secret"]


def test_a_changed_source_is_opened_anew(clock):
    opened, keeper = [], Kept(seconds=30, most=10)
    keeper.get("row", (b"sealed", 1), opening(opened, "old"))
    assert keeper.get("row", (b"sealed", 2), opening(opened, "new")) == "new"


def test_what_has_expired_is_opened_anew_and_leaves_memory(clock):
    opened, keeper = [], Kept(seconds=30, most=10)
    keeper.get("row", (1,), opening(opened, "secret"))
    clock[0] += 31
    keeper.get("other", (1,), opening(opened, "other"))
    assert list(keeper._entries) == ["other"]
    keeper.get("row", (1,), opening(opened, "secret"))
    assert opened == ["secret", "other", "secret"]


def test_no_more_than_so_many(clock):
    keeper = Kept(seconds=30, most=3)
    for number in range(10):
        keeper.get(number, (), lambda: "secret")
    assert list(keeper._entries) == [7, 8, 9]


def test_what_does_not_open_is_not_kept(clock):
    keeper = Kept(seconds=30, most=3)

    def broken() -> str:
        raise ValueError

    with pytest.raises(ValueError):
        keeper.get("row", (), broken)
    assert keeper.get("row", (), lambda: "secret") == "secret"
    assert time.monotonic() == 1000.0
