"""Leases of processes that are gone: seen by the lock that the database drops, on real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import IO
from urllib.parse import urlsplit

import pytest
from django.db import connection as database
from django.db import connections
from django.db.models.functions import Now

from broker.services import presence
from broker.services.presence_lock import Owner
from tenants.models import RenewalSlot
from tenants.querysets import presence as statements
from tenants.querysets import slots
from tenants.querysets.rows import database_now, one_row
from tests.tenants.rows import new_slot

pytestmark = pytest.mark.django_db(transaction=True)
_SESSION = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid::bigint = %(key)s"


class Holder:
    """Another process with a lease on a slot whose request is out."""

    def __init__(self, slot: RenewalSlot, *words: str) -> None:
        self.slot = slot
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database.settings_dict['NAME']}").geturl()
        command = [sys.executable, "-m", "tests.broker.services.lease_holder", str(slot.pk), *words]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "DATABASE_URL": url}
        )
        self.owner = self.says()

    def says(self) -> Owner:
        owner = Owner.parse(_open(self.process.stdout).readline().strip())
        assert owner is not None
        return owner

    def asked(self) -> Owner:
        _open(self.process.stdin).write("who\n")
        _open(self.process.stdin).flush()
        return self.says()

    def kill(self) -> None:
        """Its id stays taken until somebody waits for it: nobody can tell by the id that it is gone."""
        self.process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)

    def end(self) -> None:
        _open(self.process.stdin).close()
        self.process.wait(10)
        _open(self.process.stdout).close()


def _open(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@pytest.fixture
def hold(settled_server: None) -> Iterator[Callable[..., Holder]]:
    made: list[Holder] = []

    def begin(*words: str, **fields: object) -> Holder:
        made.append(Holder(new_slot(**fields), *words))
        return made[-1]

    yield begin
    for holder in made:
        holder.end()


@pytest.fixture
def settled_server() -> Iterator[None]:
    """A server that has been up for long enough, and a process that has just come to it."""
    presence.stop()
    _until(lambda: statements.look().settled, 15)
    presence.owner()
    yield
    presence.stop()


def _until(done: Callable[[], object], seconds: float = 10.0) -> float:
    """Poll until it is done; return how many seconds it took."""
    started = time.monotonic()
    while not done():
        assert time.monotonic() - started < seconds, "not within the time"
        time.sleep(0.02)
    return time.monotonic() - started


def _session(owner: Owner) -> int | None:
    row = one_row(_SESSION, {"key": owner.key})
    return row[0] if row else None


def _end_session(owner: Owner) -> int | None:
    session = _session(owner)
    one_row("SELECT pg_terminate_backend(%(pid)s)", {"pid": session})
    return session


def _now_is(slot: RenewalSlot) -> RenewalSlot:
    slot.refresh_from_db()
    return slot


class TestTheDead:
    def test_a_killed_process_is_seen_dead_by_two_looks(self, hold):
        holder = hold()
        sent = _now_is(holder.slot)
        fence, sent_at = sent.fence, sent.intent_at
        assert presence.reap() == 0
        holder.kill()
        took = _until(presence.reap)
        # At most three looks; the lease has ten minutes to go.
        assert 1.0 <= took < 4.0
        _now_is(holder.slot)
        assert (holder.slot.fence, holder.slot.intent, holder.slot.lease_owner) == (fence + 1, "", "")
        assert (holder.slot.uncertain_at, holder.slot.lease_until) == (sent_at, None)
        assert holder.slot.due_at.timestamp() == 0

    def test_its_late_write_does_not_pass(self, hold):
        holder = hold()
        late = RenewalSlot.objects.get(pk=holder.slot.pk)
        holder.kill()
        _until(presence.reap)
        won = slots.claim_one(holder.slot.pk, owner="next", lease_seconds=30)
        assert won is not None
        assert won.uncertain
        assert not RenewalSlot.objects.filter(pk=late.pk, fence=late.fence).exists()

    def test_a_predecessor_on_this_machine_is_seen_at_once(self, hold):
        holder = hold()
        holder.kill()
        holder.process.wait(10)
        _until(lambda: _session(holder.owner) is None)
        assert presence.reap() == 1

    def test_the_id_of_another_container_says_nothing(self, hold, settings):
        settings.RENEWAL_REAP_SECONDS = 0.2
        me = presence.start().me
        away = Owner(me.host, me.namespace + 1, 2**22 + 1, me.key + 1)
        new_slot(lease_owner=str(away), lease_until=Now() + timedelta(hours=1))
        assert presence.reap() == 0
        assert _until(presence.reap) >= 0.15

    def test_one_that_ends_well_is_gone_the_same_way(self, hold):
        holder = hold()
        holder.end()
        assert _session(holder.owner) is None
        assert presence.reap() == 1

    def test_a_forked_child_does_not_keep_its_parent_alive(self, hold):
        holder = hold("fork")
        other = holder.says()
        assert other.key != holder.owner.key
        assert other.pid != holder.owner.pid
        parent = next(one for one in (holder.owner, other) if one.pid == holder.process.pid)
        holder.kill()
        # Far less than the server waits for a silent session.
        assert _until(lambda: _session(parent) is None) < 4.0


class TestTheLiving:
    def test_one_that_loses_its_session_takes_the_lock_again_and_is_not_judged(self, hold):
        holder = hold()
        fence = _now_is(holder.slot).fence
        before = _end_session(holder.owner)
        _until(lambda: presence.reap() or _session(holder.owner) not in (None, before))
        back_at = time.monotonic()
        # For longer than anybody who is absent would be left alone.
        while time.monotonic() - back_at < 1.5:
            assert presence.reap() == 0
        assert _now_is(holder.slot).fence == fence
        assert holder.asked() == holder.owner

    def test_whoever_lost_his_own_session_judges_nobody_for_a_while(self, hold, settings):
        settings.RENEWAL_REAP_SECONDS = 0.0
        holder = hold()
        mine = presence.start().me
        before = _end_session(mine)
        _until(lambda: _session(mine) not in (None, before))
        assert presence.owner() == str(mine)
        holder.kill()
        _until(lambda: _session(holder.owner) is None)
        assert [presence.reap() for _ in range(5)] == [0] * 5

    def test_nobody_is_judged_right_after_the_server_came_up(self, hold, settings, monkeypatch):
        monkeypatch.setattr(statements, "_SETTLED", "interval '1 year'")
        settings.RENEWAL_REAP_SECONDS = 0.0
        holder = hold()
        holder.kill()
        _until(lambda: _session(holder.owner) is None)
        assert [presence.reap() for _ in range(5)] == [0] * 5

    def test_a_process_does_not_judge_itself(self, settled_server, settings):
        settings.RENEWAL_REAP_SECONDS = 0.0
        slot = new_slot(lease_owner=presence.owner(), lease_until=Now() + timedelta(hours=1))
        _end_session(presence.start().me)
        assert [presence.reap() for _ in range(3)] == [0] * 3
        assert _now_is(slot).lease_owner == str(presence.start().me)

    def test_a_lock_that_is_there_after_all_spares_its_owner(self, hold):
        holder = hold()
        assert statements.free_leases({str(holder.owner): holder.owner.key}) == 0
        assert _now_is(holder.slot).lease_owner == str(holder.owner)


class TestLeases:
    def _ended(self, **fields: object) -> RenewalSlot:
        return new_slot(lease_owner="whoever", lease_until=Now() - timedelta(hours=1), **fields)

    def test_what_has_ended_is_freed_whoever_had_it(self, settled_server):
        sent = self._ended(intent="sending", intent_at=Now())
        asked = self._ended(intent="claimed", intent_at=Now())
        due_at = asked.due_at
        assert presence.reap() == 2
        assert _now_is(sent).due_at.timestamp() == 0
        assert sent.uncertain_at is not None
        assert _now_is(asked).uncertain_at is None
        assert 3500 < (database_now() - asked.due_at).total_seconds() < 3700, due_at

    def test_what_nobody_renews_is_freed_and_nothing_else(self, settled_server):
        slot = self._ended(intent="claimed", intent_at=Now())
        RenewalSlot.objects.update(state="parked", due_at=None)
        assert presence.reap() == 1
        assert (_now_is(slot).state, slot.due_at, slot.lease_owner) == ("parked", None, "")

    def test_a_name_that_is_no_process_has_until_its_lease_ends(self, settled_server, settings):
        settings.RENEWAL_REAP_SECONDS = 0.0
        new_slot(lease_owner="by hand", lease_until=Now() + timedelta(hours=1))
        new_slot(lease_owner="host:1:2:0", lease_until=Now() + timedelta(hours=1))
        assert [presence.reap() for _ in range(3)] == [0] * 3

    def test_two_reapers_free_each_lease_once(self, settled_server):
        for _ in range(20):
            self._ended()
        assert presence.reap() + presence.reap() == 20


class TestTheLock:
    def test_a_database_that_is_away_does_not_hold_up_the_caller(self, monkeypatch, tmp_path):
        presence.stop()
        monkeypatch.setitem(connections.settings["default"], "HOST", str(tmp_path))
        started = time.monotonic()
        names = [presence.owner() for _ in range(5)]
        assert time.monotonic() - started < 3.0
        assert {name.rsplit(":", 1)[1] for name in names} == {"0"}
        presence.stop()

    def test_stopping_lets_go(self):
        owner = Owner.parse(presence.owner())
        assert owner is not None
        assert _session(owner) is not None
        presence.stop()
        assert _session(owner) is None

    def test_it_says_what_it_is_to_whoever_looks_at_the_server(self):
        owner = Owner.parse(presence.owner())
        assert owner is not None
        row = one_row("SELECT application_name FROM pg_stat_activity WHERE pid = %(pid)s", {"pid": _session(owner)})
        assert row == ("broker-presence",)
