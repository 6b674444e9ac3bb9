"""More sums of reads than one statement holds: all are written, whatever comes between."""

import pytest

from broker import errors
from tenants.models import IssueCount
from tests.broker.services.test_counts import ELSEWHERE, KEY, mark, quiet, reads, row, run, versions_of

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["row"]


def test_more_than_one_statement_holds_is_written_all_the_same(row):
    counter = quiet()
    for one in versions_of(row, 250):
        counter.add(KEY, one, mark)
    counter.flush()
    assert IssueCount.objects.count() == 250


def test_what_a_later_statement_cannot_write_is_kept(row, monkeypatch):
    counter = quiet()
    for one in versions_of(row, 250):
        counter.add(KEY, one, mark)
    monkeypatch.setattr(counter._rounds, "rest", lambda _: run("ALTER TABLE tenants_issuecount RENAME TO away"))
    counter.flush()
    run("ALTER TABLE away RENAME TO tenants_issuecount")
    assert 0 < IssueCount.objects.count() < 250
    monkeypatch.undo()
    counter.flush()
    assert sorted(reads().values()) == [1] * 250


def test_what_is_counted_meanwhile_is_for_the_next_time(row, monkeypatch):
    counter = quiet()
    for one in versions_of(row, 250):
        counter.add(KEY, one, mark)
    monkeypatch.setattr(counter._rounds, "rest", lambda _: counter.add(ELSEWHERE, row, mark))
    counter.flush()
    assert IssueCount.objects.count() == 250
    counter.flush()
    assert reads()[ELSEWHERE.key_id, ELSEWHERE.source, row.version] >= 1


def test_what_is_being_written_counts_for_what_may_wait(row, monkeypatch):
    counter = quiet(full=1, most=300)
    # Only this test writes.
    monkeypatch.setattr(counter._rounds, "hurry", lambda: None)
    for one in versions_of(row, 250):
        counter.add(KEY, one, mark)
    added = []

    def add_until_refused(_: float) -> None:
        with pytest.raises(errors.StorageFault):
            for one in versions_of(row, 300):
                counter.add(ELSEWHERE, one, mark)
                added.append(one.version)

    monkeypatch.setattr(counter._rounds, "rest", add_until_refused)
    counter.flush()
    # Of 250, one statement took 200.
    assert len(added) == 300 - 50
