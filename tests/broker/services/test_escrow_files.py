"""Files in the escrow that fit nothing, that somebody holds, and what the command says of them."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from broker.services import escrow, escrow_file, renewal_steps
from broker.services.renewal_attempt import Outcome
from tenants.models import Connection, Credential
from tenants.querysets import pairs, slots
from tests.broker.services.escrowing import away, files, renew
from tests.broker.services.renewing import slot_of

__all__ = ["away"]


class TestFilesThatFitNothing:
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda text: b"",
            lambda text: b"[" * 100_000,
            lambda text: text[:-40],
            lambda text: text.replace(b'"format": 1', b'"format": 99'),
            lambda text: text.replace(b'"environment": "', b'"environment": "not-'),
            lambda text: text.replace(b'"sealed": "', b'"sealed": "AAAA'),
        ],
        ids=["empty", "nested", "cut off", "another format", "another environment", "another seal"],
    )
    def test_are_set_aside_and_stop_no_other(self, connect, away, spoil, caplog):
        connection = connect()
        renew(connection)
        [path] = files()
        bad = path.with_name(f"00000000-{path.name}")
        bad.write_bytes(spoil(path.read_bytes()))
        away.end()
        assert escrow.replay() == 1
        assert files() == [bad.with_name(f"{bad.name}.bad")]
        assert escrow.pending() == 0
        assert "fits nothing here" in caplog.text
        assert renew(connection) is Outcome.RENEWED

    def test_one_of_a_connection_that_is_not_here(self, connect, away):
        connection = connect()
        renew(connection)
        away.end()
        Connection.objects.filter(pk=connection.id).delete()
        assert escrow.replay() == 0
        assert [path.suffix for path in files()] == [".bad"]

    def test_one_that_was_never_named_is_taken_up(self, connect, away, monkeypatch):
        connection = connect()
        renew(connection)
        [path] = files()
        unfinished = path.with_suffix(".ab.tmp")
        path.rename(unfinished)
        away.end()
        assert escrow.replay() == 0, "it may be in the making"
        os.utime(unfinished, (time.time() - 60, time.time() - 60))
        assert escrow.replay() == 1
        assert files() == []


class TestWhoMayTakeIt:
    def test_not_while_its_writer_still_tries(self, connect, away):
        connection = connect()
        attempts, _ = renewal_steps.prepare([slots.claim_one(connection.id, owner="w", lease_seconds=30)])
        pair = replace(_pair(connection), fence=attempts[0].claim.fence)
        path = escrow.keep(pair, tenant_id=connection.tenant_id, sent=attempts[0].connection.credential)
        away.end()
        assert _replayed_elsewhere(path) == "held"
        escrow.leave(path)
        assert _replayed_elsewhere(path) == "free"
        escrow.forget(path)

    def test_at_once_when_its_writer_has_died(self, tmp_path):
        """Killed by the kernel's own signal: no handler of ours ran."""
        writer = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(tmp_path / "one.json")], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "held\n"
        with escrow_file.held(tmp_path / "one.json") as ours:
            assert not ours
        writer.kill()
        writer.wait()
        writer.stdout.close()
        with escrow_file.held(tmp_path / "one.json") as ours:
            assert ours


_HOLD = """
import fcntl, os, sys, time
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""
_LOOK = """
import fcntl, os, sys
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")
except BlockingIOError:
    print("held")
"""


def _replayed_elsewhere(path: Path) -> str:
    done = subprocess.run([sys.executable, "-c", _LOOK, str(path)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _pair(connection: Connection) -> pairs.NewPair:
    stored = Credential.objects.get(pk=connection.id)
    return pairs.NewPair(
        connection_id=connection.id,
        fence=stored.version,
        sealed=bytes(stored.sealed),
        data_key_id=stored.data_key_id,
        fingerprint=None,
        life_seconds=600.0,
        due_in_seconds=300.0,
    )


class TestTheCommand:
    def test_replays(self, connect, away, manage):
        connection = connect()
        renew(connection)
        away.end()
        assert manage("replay_escrow", "--json").json == {"replayed": 1, "waiting": 0, "set_aside": []}
        assert slot_of(connection).intent == ""

    def test_says_what_it_leaves(self, settled, manage):
        escrow.folder().mkdir(exist_ok=True)
        (escrow.folder() / "x.json").write_text("{")
        done = manage("replay_escrow")
        assert (done.code, "x.json.bad" in done.out) == (1, True)
        assert done.err.startswith("CommandError: 1 files fit nothing here and were kept")

    def test_says_what_others_hold(self, connect, away, manage):
        connection = connect()
        [path] = _kept_by_us(connection)
        away.end()
        done = manage("replay_escrow")
        assert done.code == 1
        assert done.err.startswith("CommandError: 1 files wait: a living process holds them")
        escrow.forget(path)


def _kept_by_us(connection: Connection) -> list[Path]:
    sent = Credential.objects.get(pk=connection.id)
    kept = escrow.keep(_pair(connection), tenant_id=connection.tenant_id, sent=sent)
    assert kept is not None
    return [kept]
