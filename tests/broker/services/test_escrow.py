"""The escrow: a pair that the database could not take is on the disk, and goes where it belongs once it can."""

import json
import time

import pytest
from django.db import OperationalError

from broker.services import credentials, escrow, revoke
from broker.services.renewal_attempt import Outcome
from tenants import audit
from tenants.models import AuditEvent, Connection, Credential, CredentialOrphan, RenewalSlot
from tenants.querysets import slots
from tests.broker.services.escrowing import away, files, renew
from tests.broker.services.renewing import slot_of

__all__ = ["away"]


class TestWhatIsKept:
    def test_a_pair_that_cannot_be_committed_is_on_the_disk_and_not_in_use(self, connect, away):
        connection = connect()
        before = connection.credential.version
        assert renew(connection) is Outcome.STORAGE_FAULT
        assert escrow.pending() == 1
        assert Credential.objects.get(pk=connection.id).version == before
        assert slot_of(connection).intent == "sending", "nobody may believe that nothing was sent"

    def test_only_its_owner_may_read_it_and_it_tells_nothing(self, connect, away, local_provider):
        renew(connect())
        [path] = files()
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        [grant] = local_provider.grants()
        text = path.read_text()
        assert grant["rotations"] == 1
        held = json.loads(text)
        assert set(held) == {
            *("format", "environment", "tenant_id", "connection_id", "fence", "sealed", "data_key_id", "fingerprint"),
            *("life_seconds", "due_in_seconds", "sent_version", "sent_sealed", "sent_key_id", "received_at"),
        }
        stored = credentials.open_current(Credential.objects.get(), Connection.objects.get().tenant_id)
        assert stored.refresh_token.reveal() not in text

    def test_who_waits_for_the_token_tries_on_and_leaves_no_file(self, connect, away, monkeypatch):
        connection = connect()
        before = connection.credential.version
        seen = []
        monkeypatch.setattr(time, "sleep", lambda seconds: (seen.append(escrow.pending()), away.end()))
        assert renew(connection, patient=True) is Outcome.RENEWED
        assert seen == [1], "the file was there while it was tried again"
        assert files() == []
        assert Credential.objects.get(pk=connection.id).version > before

    def test_a_folder_that_cannot_be_written_is_survived_in_memory(self, connect, away, monkeypatch, settings, caplog):
        connection = connect()
        settings.ESCROW_DIRECTORY = "/dev/null/nowhere"
        monkeypatch.setattr(time, "sleep", lambda seconds: away.end() if away.refused > 3 else None)
        assert renew(connection) is Outcome.RENEWED
        assert away.refused == 4
        assert "the escrow cannot be written" in caplog.text


class TestReplay:
    def test_commits_under_the_fence_that_is_still_ours(self, connect, away, local_provider):
        connection = connect()
        renew(connection)
        fence = slot_of(connection).fence
        away.end()
        assert escrow.replay() == 1
        stored = Credential.objects.get(pk=connection.id)
        assert (stored.version, slot_of(connection).intent, files()) == (fence, "", [])
        assert renew(connection) is Outcome.RENEWED, "the refresh token from the escrow is the provider's current one"

    def test_a_database_that_is_still_away_keeps_the_file(self, connect, away):
        renew(connect())
        with pytest.raises(OperationalError):
            escrow.replay()
        assert escrow.pending() == 1

    def test_a_pair_that_was_stored_after_all_is_stored_once(self, connect, away):
        connection = connect()
        renew(connection)
        [path] = files()
        text = path.read_bytes()
        away.end()
        escrow.replay()
        renew(connection)
        newest = Credential.objects.get(pk=connection.id).version
        path.write_bytes(text)
        assert escrow.replay() == 1
        assert Credential.objects.get(pk=connection.id).version == newest
        assert AuditEvent.objects.filter(connection_id=connection.id, action="credential.renewed").count() == 2
        assert not CredentialOrphan.objects.exists()

    def test_is_adopted_when_the_fence_moved_but_nobody_renewed(self, connect, away):
        connection = connect()
        renew(connection)
        away.end()
        RenewalSlot.objects.update(lease_until=None)
        slots.release(slots.claim_one(connection.id, owner="another", lease_seconds=30))
        assert escrow.replay() == 1
        assert AuditEvent.objects.filter(connection_id=connection.id, action="credential.adopted").exists()
        assert renew(connection) is Outcome.RENEWED

    def test_is_revoked_when_the_connection_has_ended(self, connect, away):
        connection = connect()
        renew(connection)
        away.end()
        revoke.disconnect(connection, actor=audit.staff("tester"))
        assert escrow.replay() == 1
        orphans = CredentialOrphan.objects.filter(connection_id=connection.id)
        assert {one.outcome for one in orphans} <= {"revoke", "revoked"}
        assert orphans.count() == 2
        assert not Credential.objects.exists()

    def test_a_life_is_what_is_left_of_it(self, connect, away):
        connection = connect()
        renew(connection)
        [path] = files()
        held = json.loads(path.read_text())
        path.write_text(json.dumps({**held, "life_seconds": 600.0, "received_at": time.time() - 100}))
        away.end()
        escrow.replay()
        stored = Credential.objects.get(pk=connection.id)
        assert 490 < (stored.expires_at - stored.issued_at).total_seconds() <= 500

    def test_a_clock_that_was_set_back_makes_no_life_longer(self, connect, away):
        connection = connect()
        renew(connection)
        [path] = files()
        held = json.loads(path.read_text())
        path.write_text(json.dumps({**held, "life_seconds": 600.0, "received_at": time.time() + 3600}))
        away.end()
        escrow.replay()
        stored = Credential.objects.get(pk=connection.id)
        assert (stored.expires_at - stored.issued_at).total_seconds() == pytest.approx(600, abs=1)
