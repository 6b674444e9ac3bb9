"""The one SQLite file (or memory) that holds clients, users and grants."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clients (
    client_id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL, settings TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, salt BLOB NOT NULL, password_hash BLOB NOT NULL,
    companies TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grants (
    id TEXT PRIMARY KEY, client_id TEXT NOT NULL, user_id TEXT NOT NULL, company_id TEXT NOT NULL,
    scope TEXT NOT NULL, created_at REAL NOT NULL, revoked_at REAL, revoked_why TEXT NOT NULL DEFAULT '',
    rotations INTEGER NOT NULL DEFAULT 0, newest_refresh TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grants_of_user ON grants (user_id);
CREATE TABLE IF NOT EXISTS codes (
    hash TEXT PRIMARY KEY, client_id TEXT NOT NULL, user_id TEXT NOT NULL, company_id TEXT NOT NULL,
    scope TEXT NOT NULL, redirect_uri TEXT NOT NULL, code_challenge TEXT NOT NULL, nonce TEXT NOT NULL,
    expires_at REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0, grant_id TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refresh_tokens (
    hash TEXT PRIMARY KEY, grant_id TEXT NOT NULL, expires_at REAL NOT NULL, spent_at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS access_tokens (
    hash TEXT PRIMARY KEY, grant_id TEXT NOT NULL, scope TEXT NOT NULL, expires_at REAL NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fixtures (
    system TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, members TEXT NOT NULL,
    PRIMARY KEY (system, kind, id)) WITHOUT ROWID;
"""
# A predecessor that is just stopping gets this long to let go of the file.
BUSY_SECONDS = 2.0
TABLES = ("clients", "users", "grants", "codes", "refresh_tokens", "access_tokens", "fixtures")


class StoreInUse(Exception):
    """Another sandbox already runs on this data folder."""


class Store:
    """Rows, written through at once: a killed sandbox still knows every token it handed out."""

    def __init__(self, folder: Path | None) -> None:
        self._connection = sqlite3.connect(_place(folder), isolation_level=None, timeout=BUSY_SECONDS)
        self._connection.row_factory = sqlite3.Row
        self._prepare()

    def _prepare(self) -> None:
        try:
            # One process owns the file; that also spares the shared-memory index on the hot path.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            # NORMAL survives a killed process; only a power cut could lose the last commits.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(SCHEMA)
        except sqlite3.OperationalError as error:
            raise StoreInUse(f"the data folder is in use or not writable: {error}") from None

    def one(self, statement: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        row: sqlite3.Row | None = self._connection.execute(statement, values).fetchone()
        return row

    def all(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """Every row."""
        return self._connection.execute(statement, values).fetchall()

    def run(self, statement: str, *values: Any) -> int:
        """How many rows the statement changed."""
        return self._connection.execute(statement, values).rowcount

    def run_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """The statement once for each of the rows."""
        self._connection.executemany(statement, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside, or none of them."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def wipe(self) -> None:
        """Forget everything but the facts about this installation (its keys)."""
        with self.transaction():
            for table in TABLES:
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names are ours

    def fact(self, name: str) -> str | None:
        """A value remembered about this installation."""
        row = self.one("SELECT value FROM facts WHERE name = ?", name)
        return row["value"] if row else None

    def remember(self, name: str, value: str) -> None:
        """Keep a value about this installation."""
        self.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def close(self) -> None:
        """Hand the file back, folded into one."""
        self._connection.close()


def _place(folder: Path | None) -> str:
    if folder is None:
        return ":memory:"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(folder / "sandbox.sqlite3")
