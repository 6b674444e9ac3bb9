"""Renewals, people and deaths in random orders, on the real steps and a real database."""

import pytest

from tests.chaos_support import interleavings

SEEDS = (20_000, 40_000, 60_000, 80_000)
STORIES = 40


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nobody_is_blamed_wrongly(seed: int) -> None:
    summary = interleavings.run(STORIES, seed)
    assert summary.problems == []
    assert summary.renewals > STORIES
    assert summary.deaths > STORIES // 2
    assert summary.rotation_lost, "no story was hard enough"
