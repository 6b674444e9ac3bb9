"""The files of the escrow: written so that they survive the machine, read so that a damaged one stops no other.

A record is on the disk, and its name in the folder, before `write` returns. Whoever is at work on a record holds the
kernel's lock on its file, and the kernel lets go of it in the moment the process dies: that is how another process
knows whether it may take the record up, on this machine or through a shared volume.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from tenants.querysets.pairs import NewPair

_FORMAT = 1
_RECORD, _UNFINISHED, _BAD = ".json", ".tmp", ".bad"
# A record whose writer died between writing and naming it; younger ones may be in the making.
_LEFT_BEHIND_SECONDS = 5.0
_MOST_BYTES = 1_000_000


class NotOurs(Exception):
    """A file that is no record, is damaged, or belongs to another installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A pair on its way to the database, and what decides where it belongs there.

    Shape:  sent_sealed, under the data key sent_key_id, is the version of the credential that was used up for it: the
            stored refresh token still being that one means that nobody else has renewed.
    Units:  received_at in seconds of this machine's clock.
    """

    tenant_id: UUID
    pair: NewPair
    sent_version: int
    sent_sealed: bytes
    sent_key_id: UUID
    received_at: float


def prepare(folder: Path) -> None:
    """Make the folder, for this user alone, and see that a file in it reaches the disk. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    probe = folder / f"probe-{secrets.token_hex(8)}{_UNFINISHED}"
    try:
        os.close(_written(probe, b"probe"))
        _sync(folder)
    finally:
        probe.unlink(missing_ok=True)


def write(folder: Path, record: Record, environment: str) -> tuple[Path, int]:
    """Return the file, and the descriptor whose end gives up its lock. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{record.pair.connection_id}-{record.pair.fence}{_RECORD}"
    unfinished = path.with_suffix(f".{secrets.token_hex(4)}{_UNFINISHED}")
    try:
        descriptor = _written(unfinished, json.dumps(_as_json(record, environment)).encode())
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    try:
        unfinished.rename(path)
        _sync(folder)
    except OSError:
        os.close(descriptor)
        raise
    return path, descriptor


def _written(path: Path, content: bytes) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sync(folder: Path) -> None:
    """A name is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def names(folder: Path) -> list[Path]:
    """Return the records, whoever holds them. A folder that cannot be read holds none."""
    try:
        with os.scandir(folder) as entries:
            found = [one.name for one in entries if one.name.endswith(_RECORD) and one.is_file(follow_symlinks=False)]
        return [folder / name for name in sorted(found)]
    except OSError:
        return []


def left_behind(folder: Path) -> list[Path]:
    """Return the files whose writer may have died before it had named them."""
    try:
        return [path for path in folder.iterdir() if path.suffix == _UNFINISHED and _age(path) > _LEFT_BEHIND_SECONDS]
    except OSError:
        return []


def set_aside(folder: Path) -> list[Path]:
    """Return the files that somebody has to look at."""
    return sorted(folder.glob(f"*{_BAD}"))


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Tell whether the file is there and now ours alone, until the block ends."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield _locked(descriptor, path)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before may have done with it meanwhile: the lock would be on a file without a name.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def read(path: Path, environment: str) -> Record:
    """Raises NotOurs, OSError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise NotOurs("too long for a record")
        held_in_file = json.loads(path.read_bytes())
        if held_in_file["format"] != _FORMAT:
            raise NotOurs("another format")
        if held_in_file["environment"] != environment:
            raise NotOurs("of another BROKER_ENVIRONMENT")
        return _from_json(held_in_file)
    except (ValueError, KeyError, TypeError, RecursionError):
        # Without the cause: it quotes the file.
        raise NotOurs("damaged") from None


def put_aside(path: Path) -> Path:
    """Keep a file that cannot be replayed under a name that stops nothing. Raises OSError."""
    target = path.with_name(path.name + _BAD)
    path.rename(target)
    return target


def _as_json(record: Record, environment: str) -> dict[str, Any]:
    pair = record.pair
    return {
        "format": _FORMAT,
        "environment": environment,
        "tenant_id": str(record.tenant_id),
        "connection_id": str(pair.connection_id),
        "fence": pair.fence,
        "sealed": base64.b64encode(pair.sealed).decode(),
        "data_key_id": str(pair.data_key_id),
        "fingerprint": _text(pair.fingerprint),
        "life_seconds": pair.life_seconds,
        "due_in_seconds": pair.due_in_seconds,
        "sent_version": record.sent_version,
        "sent_sealed": _text(record.sent_sealed),
        "sent_key_id": str(record.sent_key_id),
        "received_at": record.received_at,
    }


def _from_json(found: dict[str, Any]) -> Record:
    pair = NewPair(
        connection_id=UUID(found["connection_id"]),
        fence=int(found["fence"]),
        sealed=base64.b64decode(found["sealed"], validate=True),
        data_key_id=UUID(found["data_key_id"]),
        fingerprint=_bytes(found["fingerprint"]),
        life_seconds=_number(found["life_seconds"]),
        due_in_seconds=_number(found["due_in_seconds"]),
    )
    return Record(
        tenant_id=UUID(found["tenant_id"]),
        pair=pair,
        sent_version=int(found["sent_version"]),
        sent_sealed=base64.b64decode(found["sent_sealed"], validate=True),
        sent_key_id=UUID(found["sent_key_id"]),
        received_at=float(found["received_at"]),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
