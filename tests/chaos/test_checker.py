"""The judge sees each kind of violation in a history made by hand, and finds nothing in one without."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.chaos import checker
from tests.chaos.checker import Findings, History, Kill, Request, Sending, Served, Standing, Version

WORKER, OTHER = 101, 102


def request(number: int, at: float, presented: str, issued: str = "", **more: object) -> Request:
    tokens = {"issued_refresh": issued, "issued_access": f"a-{issued}"} if issued else {"accepted": False}
    return Request(number=number, at=at, ended=at + 0.1, grant="g", presented=presented, **{**tokens, **more})  # type: ignore[arg-type]


def version(number: int, refresh: str, at: float, access: str = "") -> Version:
    return Version(connection="c", version=number, refresh=refresh, access=access or f"a-{refresh}", at=at)


def sending(at: float, pid: int = WORKER, due: float = 0.0) -> Sending:
    return Sending(connection="c", pid=pid, at=at, due=due)


def blamed(reason: str, at: float) -> Standing:
    return Standing(connection="c", state="reauthorization_required", reason=reason, at=at)


def good() -> History:
    """Two renewals, one after the other, by two processes."""
    return History(
        requests=[request(1, 10, "r1", "r2"), request(2, 20, "r2", "r3")],
        versions=[version(1, "r1", 1), version(2, "r2", 10.2), version(3, "r3", 20.2)],
        sendings=[sending(9.9), sending(19.9, OTHER)],
        served=[Served(connection="c", version=2, access="a-r2", at=11)],
    )


def lost_reply(*, grace: bool) -> History:
    """The second request's sender dies with the reply on its way; with a grace time the resend saves the line."""
    history = good()
    history.versions.pop()
    history.kills = [Kill(at=20.05, pid=OTHER)]
    history.sendings.append(sending(21, WORKER))
    if grace:
        history.requests.append(request(3, 21.1, "r2", "r4"))
        history.versions.append(version(4, "r4", 21.3))
    else:
        history.requests.append(request(3, 21.1, "r2"))
        history.standings = [blamed("rotation_lost", 22)]
        history.refused = frozenset({"c"})
    return history


def kinds(found: Findings) -> list[str]:
    """Return which kinds of findings there are."""
    return [name for name in found.__slots__ if getattr(found, name)]


@pytest.mark.parametrize("history", [History(), good(), lost_reply(grace=True)], ids=["empty", "good", "resent"])
def test_what_is_right_is_found_right(history: History) -> None:
    assert kinds(checker.check(history)) == []


def test_a_loss_that_could_not_be_helped_is_counted_and_no_more() -> None:
    assert kinds(checker.check(lost_reply(grace=False))) == ["lost"]


def test_a_loss_that_nobody_was_told_of() -> None:
    history = lost_reply(grace=False)
    history.standings.clear()
    assert kinds(checker.check(history)) == ["lost", "silent"]


def test_a_loss_that_is_told_as_the_customers_doing() -> None:
    history = lost_reply(grace=False)
    history.standings = [blamed("grant_revoked", 22)]
    assert kinds(checker.check(history)) == ["lost", "silent", "blamed"]


@pytest.mark.parametrize(
    "kill", [None, Kill(at=20.05, pid=WORKER), Kill(at=19.0, pid=OTHER), Kill(at=60.0, pid=OTHER)], ids=str
)
def test_a_loss_without_a_death_of_the_sender_at_that_time(kill: Kill | None) -> None:
    history = lost_reply(grace=False)
    history.kills = [kill] if kill else []
    found = checker.check(history)
    assert {"lost", "unexplained", "blamed", "dropped"} <= set(kinds(found))


def test_a_dropped_reply_explains_what_a_death_would() -> None:
    history = lost_reply(grace=False)
    history.kills = []
    history.requests[1] = replace(history.requests[1], fault="drop_after")
    assert kinds(checker.check(history)) == ["lost"]


def test_a_sender_that_no_longer_waits_has_not_heard() -> None:
    history = lost_reply(grace=True)
    history.kills, history.patience = [], 0.1
    assert kinds(checker.check(history)) == []


@pytest.mark.parametrize("reason", ["grant_revoked", "rotation_lost"])
def test_a_customer_who_is_blamed_for_nothing(reason: str) -> None:
    history = good()
    history.standings = [blamed(reason, 30)]
    assert kinds(checker.check(history)) == ["blamed"]


def test_the_end_of_a_grant_that_the_test_itself_ended_blames_nobody() -> None:
    history = good()
    history.standings, history.ended, history.refused = (
        [blamed("grant_revoked", 30)],
        frozenset({"g"}),
        frozenset({"c"}),
    )
    assert kinds(checker.check(history)) == []


def test_the_end_of_a_grant_that_nobody_was_told_of() -> None:
    history = good()
    history.ended, history.refused = frozenset({"g"}), frozenset({"c"})
    assert kinds(checker.check(history)) == ["silent"]


def test_two_requests_at_once() -> None:
    history = good()
    history.requests[0] = replace(history.requests[0], ended=20.05)
    assert kinds(checker.check(history)) == ["doubled"]


def test_a_refresh_token_that_is_sent_again_after_its_answer() -> None:
    history = lost_reply(grace=True)
    history.kills = []
    assert set(kinds(checker.check(history))) == {"doubled", "dropped"}


def test_a_refusal_may_be_asked_about_again() -> None:
    history = good()
    refused = request(3, 30, "r3")
    history.requests += [refused, replace(refused, number=4, at=31.0, ended=31.1)]
    assert kinds(checker.check(history)) == []


def test_a_new_refresh_token_that_is_nowhere() -> None:
    history = good()
    history.versions.pop()
    assert kinds(checker.check(history)) == ["dropped"]


def test_an_orphan_is_kept() -> None:
    history = good()
    history.versions.pop()
    history.orphans = frozenset({"r3"})
    assert kinds(checker.check(history)) == []


def changed(last: Version) -> History:
    history = good()
    history.versions[-1] = last
    return history


@pytest.mark.parametrize(
    "history",
    [
        changed(version(3, "r3", 20.2, access="a-r2")),
        changed(version(3, "r3", 20.2, access="made up")),
        changed(version(2, "r3", 20.2)),
    ],
    ids=["tokens of two replies", "an access token of nobody", "the same version again"],
)
def test_versions_that_do_not_follow_from_each_other(history: History) -> None:
    assert "mixed" in kinds(checker.check(history))


def test_a_late_writer_who_replaces_a_newer_pair() -> None:
    history = good()
    history.requests.append(request(3, 25, "r1", "r5"))
    history.versions.append(version(4, "r5", 30))
    assert {"doubled", "mixed"} & set(kinds(checker.check(history))) == {"mixed"}


def served_of(history: History) -> Iterable[History]:
    for wrong in ({"at": 10.1}, {"access": "a-r3"}, {"version": 9}):
        other = good()
        other.served = [replace(history.served[0], **wrong)]
        yield other


@pytest.mark.parametrize("history", list(served_of(good())), ids=["too early", "of another version", "of no version"])
def test_a_token_that_was_served_and_is_not_durable(history: History) -> None:
    assert kinds(checker.check(history)) == ["early"]


def test_a_connection_that_nobody_comes_back_to() -> None:
    history = good()
    history.forgotten = frozenset({"c"})
    assert kinds(checker.check(history)) == ["forgotten"]


def test_how_late_a_renewal_was() -> None:
    history = good()
    history.sendings = [sending(9.9, due=9.0), sending(19.9, due=12.0), sending(50.0)]
    assert checker.latest(history) == pytest.approx(7.9)
    assert checker.latest(history, since=12.0) == 0.0
    assert checker.latest(history, ["another"]) == 0.0
