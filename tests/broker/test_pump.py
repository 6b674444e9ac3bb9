"""The pump: what is due is renewed, many at once, and nothing that fails on the way loses a token."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db import connection as database
from django.db.models.functions import Now

from broker import pump
from broker.driver import Driver
from broker.senders import Senders
from broker.services import claiming, escrow, gates, presence, renewal_steps, sessions
from broker.services.renewal_attempt import Outcome
from tenants import audit
from tenants.models import Connection, Credential, RenewalSlot, Tenant
from tenants.querysets import pairs, slots
from tests import flows, people
from tests.broker.services.renewing import end_in, make_due, refreshes, slot_of

PATIENCE_SECONDS = 20.0
# Above what Linux gives to any process.
NO_PROCESS = 2**22 + 1


def until(true: Callable[[], object], expected: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, expected
        time.sleep(0.01)


@pytest.fixture
def due(settled):
    """Makes connections whose renewal is due."""

    def make(count: int = 1) -> list[Connection]:
        made = [_connected(settled.aalto, f"company {number}") for number in range(count)]
        for one in made:
            make_due(one)
        return made

    return make


def _connected(tenant: Tenant, label: str) -> Connection:
    link = sessions.create(tenant, [people.PROVIDER], label=label, actor=audit.staff("tester"))
    return Connection.objects.get(pk=flows.run(link.session).session.connection_id)


def versions() -> dict[object, int]:
    return dict(Credential.objects.values_list("connection_id", "version"))


@pytest.fixture
def running():
    """The pump of this process, as a worker runs it."""
    pump.start()
    yield
    pump.finish()


class TestDraining:
    def test_renews_what_is_due_and_ends_when_nothing_is(self, due):
        [connection] = due()
        before = connection.credential.version
        assert pump.drain() == 1
        assert pump.drain() == 0
        assert versions()[connection.id] > before

    def test_renews_many_at_once(self, due, local_provider):
        due(6)
        before = versions()
        local_provider.set_latency(token=0.5)
        started = time.monotonic()
        assert pump.drain() == 6
        assert time.monotonic() - started < 6 * 0.5
        assert all(version > before[one] for one, version in versions().items())

    def test_nothing_is_claimed_while_a_pair_waits_in_the_escrow(self, due, local_provider):
        due()
        escrow.folder().mkdir()
        waiting = escrow.folder() / "another-1.json"
        waiting.write_text("{}")
        assert pump.drain() == 0
        waiting.unlink()
        assert pump.drain() == 1


class TestRunning:
    def test_a_hint_is_enough(self, due, running, settings):
        settings.RENEWAL_POLL_SECONDS = 600
        [connection] = due()
        before = connection.credential.version
        assert pump.drain() == 0, "it only wakes the pump that runs"
        until(lambda: versions()[connection.id] > before, "renewed")
        assert pump.seconds_since_claim() < PATIENCE_SECONDS

    def test_where_there_was_work_it_looks_again_soon(self, due, settings):
        settings.RENEWAL_POLL_SECONDS = 600
        [first, second] = due(2)
        before = versions()
        RenewalSlot.objects.filter(pk=second.pk).update(due_at=Now() + timedelta(seconds=1.5))
        pump.start()
        try:
            until(lambda: versions()[first.id] > before[first.id], "the first")
            until(lambda: versions()[second.id] > before[second.id], "the second, without a hint")
        finally:
            pump.finish()

    def test_what_went_unheard_is_sent_again_when_its_time_comes_not_when_the_pump_looks(
        self, due, local_provider, settings
    ):
        settings.RENEWAL_POLL_SECONDS = 600
        [connection] = due()
        before = connection.credential.version
        end_in(connection, seconds=62)
        local_provider.fault("token", "drop_before")
        pump.start()
        try:
            until(lambda: versions()[connection.id] > before, "sent again in the last minute")
        finally:
            pump.finish()
        assert refreshes(local_provider) == 2

    def test_takes_up_at_once_what_a_dead_process_left(self, connect, running):
        connection = connect()
        before = connection.credential.version
        here = presence.owner().rsplit(":", 2)[0]
        assert slots.claim_one(connection.id, owner=f"{here}:{NO_PROCESS}:77", lease_seconds=600)
        make_due(connection)
        until(lambda: versions()[connection.id] > before, "taken over, long before its lease was over")

    def test_what_cannot_be_prepared_is_given_back_and_tried_again(self, due, running, monkeypatch):
        broken = []

        def prepare(claims, **more):
            if not broken:
                broken.append(claims)
                raise RuntimeError("a fault of ours")
            return renewal_prepare(claims, **more)

        renewal_prepare = renewal_steps.prepare
        monkeypatch.setattr(renewal_steps, "prepare", prepare)
        [connection] = due()
        before = connection.credential.version
        pump.drain()
        until(lambda: broken, "the fault")
        pump.drain()
        until(lambda: versions()[connection.id] > before, "renewed all the same, and before its lease was over")

    def test_what_its_gate_turns_back_is_not_claimed_again_and_again(self, due, running, monkeypatch):
        [connection] = due()
        looks = []
        monkeypatch.setattr(gates, "admit", lambda claims: (looks.append(time.monotonic()), ([], list(claims)))[1])
        pump.drain()
        until(lambda: len(looks) >= 3, "it is looked at again")
        assert looks[2] - looks[0] > 1.0
        assert slot_of(connection).uncertain_at is None

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_driver_that_dies_is_noticed(self, due, monkeypatch):
        def die(*_, **__):
            raise SystemExit

        monkeypatch.setattr(claiming.Claimer, "claim", die)
        ended = threading.Event()
        pump.start(dead=ended.set)
        assert ended.wait(PATIENCE_SECONDS)
        pump.finish()


class TestEnding:
    def test_what_is_out_is_finished_and_stored(self, due, local_provider):
        [connection] = due()
        before = connection.credential.version
        local_provider.fault("token", "stall", seconds=1.0, after=True)
        pump.start()
        until(lambda: any(not one["finished"] for one in local_provider.log(endpoint="token")), "the request is out")
        pump.finish()
        assert versions()[connection.id] > before

    def test_what_was_marked_and_not_sent_is_given_back_without_a_doubt(self, due, local_provider):
        [connection] = due()
        [claim] = claiming.Claimer().claim(1, frozenset())
        attempts, _ = renewal_steps.prepare([claim])
        [marked] = renewal_steps.mark(attempts)
        answers = []
        senders = Senders(1, answers.append)
        senders.close()
        senders.hand([marked])
        senders.finish()
        renewal_steps.conclude(answers)
        slot = slot_of(connection)
        assert (slot.intent, slot.lease_owner, slot.uncertain_at, slot.lease_until) == ("", "", None, None)
        assert refreshes(local_provider) == 0
        assert pump.drain() == 1


class TestWhatFailsWhileCommitting:
    def test_one_answer_that_breaks_us_costs_the_others_nothing_and_itself_no_token(self, due, monkeypatch):
        poisoned, *others = due(4)
        before = versions()
        conclude = renewal_steps.conclude

        def break_down(answers, **more):
            if any(one.attempt.connection.id == poisoned.id for one in answers):
                raise RuntimeError("a fault of ours")
            return conclude(answers, **more)

        monkeypatch.setattr(renewal_steps, "conclude", break_down)
        assert pump.drain() == 4
        after = versions()
        assert [after[one.id] > before[one.id] for one in others] == [True] * 3
        assert (after[poisoned.id], escrow.pending()) == (before[poisoned.id], 1)
        assert escrow.replay() == 1
        assert versions()[poisoned.id] > before[poisoned.id]

    def test_a_commit_that_hangs_leaves_no_answer_in_memory_alone(self, due, monkeypatch):
        [connection] = due()
        commit, hangs = pairs.commit, threading.Event()
        monkeypatch.setattr(pairs, "commit", lambda *args: (hangs.wait(PATIENCE_SECONDS), commit(*args))[1])
        pump.start()
        try:
            until(escrow.pending, "in the escrow although nothing has failed")
        finally:
            hangs.set()
            pump.finish()
        escrow.replay()
        assert (escrow.pending(), slot_of(connection).intent) == (0, "")

    def test_a_database_that_is_away_for_a_while_costs_nothing(self, due, monkeypatch, local_provider):
        made = due(3)
        before = versions()
        commit, away = pairs.commit, threading.Event()
        away.set()

        def refuse(*args):
            if away.is_set():
                raise OperationalError("the server is away")
            return commit(*args)

        monkeypatch.setattr(pairs, "commit", refuse)
        pump.start()
        until(lambda: escrow.pending() == 3, "three files")
        away.clear()
        until(lambda: escrow.pending() == 0, "an empty escrow")
        pump.finish()
        assert all(versions()[one.id] > before[one.id] for one in made)
        assert refreshes(local_provider) == 5, "one request each, beside the three that connected"


def test_outcomes_are_told_once_they_are_durable(due):
    [connection] = due()
    seen = []

    def told(answers, outcomes):
        seen.append((outcomes, versions()[connection.id]))
        database.close()

    before = connection.credential.version
    Driver(told).drain()
    [(outcomes, version)] = seen
    assert list(outcomes) == [Outcome.RENEWED]
    assert version > before
