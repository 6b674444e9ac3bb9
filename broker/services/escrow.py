"""Renewed pairs while the database is away: kept in files, sealed, and replayed before anything else is claimed.

A provider that rotates has ended the old refresh token by the time its answer is here. Where the pair cannot be
committed at once, it goes to a file that outlives this process and this machine's power; nobody is given its access
token until it stands in the database.
"""

import logging
import os
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError
from django.db import connection as database

from broker.services import credential_text, credentials, escrow_file, orphans
from broker.services.escrow_file import NotOurs, Record
from providers.messages import OAuthCredential
from tenants.errors import TenantsError
from tenants.models import Connection, Credential, DataKey
from tenants.models.credential import credential_context
from tenants.querysets import pairs
from tenants.querysets.pairs import NewPair

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
# No later try will do better: what the record names is not in this database, or cannot be opened here.
_HOPELESS = (NotOurs, DataError, IntegrityError, TenantsError, Connection.DoesNotExist, DataKey.DoesNotExist)


class _Held:
    """The locks on files that this process still hopes to commit by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptors: dict[Path, int] = {}

    def add(self, path: Path, descriptor: int) -> None:
        with self._lock:
            before = self._descriptors.pop(path, None)
            self._descriptors[path] = descriptor
        if before is not None:
            os.close(before)

    def drop(self, path: Path) -> None:
        with self._lock:
            descriptor = self._descriptors.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)


_held = _Held()


def folder() -> Path:
    """Return where this installation's records lie."""
    return Path(settings.ESCROW_DIRECTORY)


def keep(pair: NewPair, *, tenant_id: UUID, sent: Credential) -> Path | None:
    """Return the file that holds the pair, durable; None when it cannot be written: memory is all there is then.

    Nobody else replays it until `leave`, or until this process dies. Effects: one file. No database.
    """
    record = Record(
        tenant_id=tenant_id,
        pair=pair,
        sent_version=sent.version,
        sent_sealed=bytes(sent.sealed),
        sent_key_id=sent.data_key_id,
        received_at=time.time(),
    )
    try:
        path, descriptor = escrow_file.write(folder(), record, settings.BROKER_ENVIRONMENT)
    except OSError as error:
        logger.critical(
            "the escrow cannot be written: a renewed pair is in memory alone until the database is back",
            extra={"connection_id": pair.connection_id, "fence": pair.fence, "failure": type(error).__name__},
        )
        return None
    _held.add(path, descriptor)
    return path


def forget(path: Path | None) -> None:
    """Remove a record whose pair is in the database."""
    if path is not None:
        # A file that comes back, because the machine lost power now, is found to be stored already.
        path.unlink(missing_ok=True)
        _held.drop(path)


def leave(path: Path | None) -> None:
    """Try no longer to commit this record here: whoever replays may take it up."""
    if path is not None:
        _held.drop(path)


def pending() -> int:
    """Return how many pairs wait for the database, of whichever process on this folder."""
    return len(escrow_file.names(folder()))


def replay() -> int:
    """Return how many pairs are where they belong now.

    A record of a living process that still tries by itself is left to it. One that fits nothing here is set aside as
    `.bad`, never deleted. Raises: DatabaseError while the database is away; the records stay.
    Effects: as a renewal that has succeeded; each file goes only after its commit.
    """
    done = 0
    for path in [*escrow_file.names(folder()), *escrow_file.left_behind(folder())]:
        with escrow_file.held(path) as ours:
            done += ours and _replayed(path)
    return done


def _replayed(path: Path) -> bool:
    try:
        record = escrow_file.read(path, settings.BROKER_ENVIRONMENT)
        action = _settle(record)
    except _HOPELESS as error:
        reason = str(error) if isinstance(error, NotOurs) else type(error).__name__
        aside = escrow_file.put_aside(path)
        logger.critical("a file in the escrow fits nothing here: %s", aside.name, extra={"reason": reason})
        return False
    path.unlink()
    facts = {"connection_id": record.pair.connection_id, "fence": record.pair.fence, "action": action}
    logger.warning("a pair from the escrow is in the database", extra=facts)
    return True


def _settle(record: Record) -> str:
    """The fence is still ours: commit. Else as any writer that comes too late."""
    pair = _aged(record)
    # Before anything is written: a file that was damaged on the disk must not replace what opens.
    fresh = _opened(record, pair.data_key_id, pair.fence, pair.sealed)
    if pairs.standing(pair.connection_id, pair.fence) is not None:
        return "stored before"
    if pairs.commit([pair]):
        return "stored"
    _came_too_late(record, fresh, pair.life_seconds)
    return "came too late"


def _came_too_late(record: Record, fresh: OAuthCredential, life_seconds: float | None) -> None:
    pair = record.pair
    row = Connection.objects.select_related("registration").get(pk=pair.connection_id, tenant_id=record.tenant_id)
    sent = _opened(record, record.sent_key_id, record.sent_version, record.sent_sealed)
    chance = random.random()  # noqa: S311  jitter
    orphans.keep_late(row, pair.fence, fresh, sent, life_seconds, chance, sent_version=record.sent_version)


def _opened(record: Record, key_id: UUID, version: int, sealed: bytes) -> OAuthCredential:
    context = credential_context(record.tenant_id, record.pair.connection_id, version)
    return credential_text.decode_tokens(credentials.unseal(DataKey.objects.get(pk=key_id), context, sealed))


def _aged(record: Record) -> NewPair:
    """The pair with what is left of its life. A clock that was set back must not make it longer."""
    pair = record.pair
    passed = max(time.time() - record.received_at, 0.0)
    life = None if pair.life_seconds is None else max(pair.life_seconds - passed, 1.0)
    due = None if pair.due_in_seconds is None else max(pair.due_in_seconds - passed, 0.0)
    return replace(pair, life_seconds=life, due_in_seconds=due)


class Replayer:
    """Replays what is there, each second: what a process needs that serves and does not look by itself."""

    def __init__(self) -> None:
        self._told = 0

    def look(self) -> int:
        """Return how many pairs wait still, after replaying what can be replayed now. Raises nothing."""
        if not pending() and not escrow_file.left_behind(folder()):
            self._told = 0
            return 0
        try:
            replay()
        except DatabaseError:
            # That it is still away is no news.
            pass
        except Exception:
            logger.exception("the escrow could not be replayed")
        finally:
            database.close()
        return self._tell(pending())

    def _tell(self, waiting: int) -> int:
        if waiting != self._told:
            logger.warning("renewed pairs wait in the escrow for the database", extra={"count": waiting})
        self._told = waiting
        return waiting

    def start(self) -> None:
        """Look each second for as long as this process lives. Effects: a thread."""
        threading.Thread(target=self._run, name="escrow", daemon=True).start()

    def _run(self) -> None:
        while True:
            self.look()
            time.sleep(_LOOK_SECONDS)
