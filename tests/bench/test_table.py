"""What the table calls met, and how figures of several rounds become one."""

import pytest

from bench import table
from bench.load import Figures, median
from bench.table import Row


def figures(rps: float, bad: int = 0) -> Figures:
    return Figures(rps=rps, p50=1.0, p99=2.0, web_us=100.0, postgres_us=50.0, bad=bad)


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (table.at_least("x", 0.5, 0.5), True),
        (table.at_least("x", 0.499, 0.5), False),
        (table.at_most("x", 1.1, 1.1), True),
        (table.at_most("x", 1.101, 1.1), False),
        (table.under("x", 20.0, 20.0), False),
        (table.none_bad("x", [figures(1), figures(1, bad=1)]), False),
        (table.none_bad("x", [figures(1)]), True),
    ],
    ids=["least", "too little", "most", "too much", "not under", "one failed", "none failed"],
)
def test_a_limit(row, met):
    assert row.met is met


def test_one_missed_row_is_a_missed_run(capsys):
    assert table.show([Row("a", "1"), Row("b", "2", "3", met=True)])
    assert not table.show([Row("a", "1", "2", met=True), Row("b", "2", "3", met=False)])
    assert capsys.readouterr().out.splitlines()[-1].endswith("MISSED")


def test_pairs_are_compared_before_the_middle_is_taken():
    # The machine got ten times slower after the first round: both of a pair met that.
    assert table.middle_ratio([1000, 100, 90], [2000, 200, 180]) == 0.5


def test_growth_is_that_of_the_later_half():
    filling = [(float(at), 50.0 + at) for at in range(60)]
    flat = [(float(at), 110.0) for at in range(60, 120)]
    assert table.slope(filling + flat) == pytest.approx(0, abs=0.01)
    leaking = [(float(at), 100.0 + at / 60) for at in range(120)]
    assert table.slope(leaking) == pytest.approx(1.0)


def test_no_failed_request_disappears_in_a_median():
    middle = median([figures(1, bad=2), figures(2), figures(30)])
    assert (middle.rps, middle.bad, middle.cpu_us) == (2, 2, 150.0)
