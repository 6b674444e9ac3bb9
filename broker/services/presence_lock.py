"""The lock that says that this process is alive: held by a thread, on a connection outside the pool."""

import logging
import os
import secrets
import socket
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

import psycopg
from django.db import connection as database

from tenants.querysets import presence

logger = logging.getLogger(__name__)
_PING_SECONDS = 0.5
_AT_ONCE_SECONDS = 0.02
# The server ends the session of a process that is silent for so long: its machine is gone, or it hangs.
_SILENCE_SECONDS = 5
_FIRST_WAIT_SECONDS = 2.0
# After a loss of our own connection the others may have lost theirs too: they get so long to come back.
_SETTLE_SECONDS = 10.0
_KEEPALIVE: dict[str, Any] = {
    "application_name": "broker-presence",
    "autocommit": True,
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


class Owner(NamedTuple):
    """The name on a lease. Key 0: no lock goes with it, so that only the lease's own end frees it."""

    host: str
    namespace: int
    pid: int
    key: int

    def __str__(self) -> str:
        return ":".join(map(str, self))

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return what a name tells; None when it is not one of a process."""
        host, *numbers = name.split(":")
        if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
            return None
        return cls(host, *map(int, numbers))


class Lock:
    """One process's lock. The thread connects again after every loss, and takes the same lock."""

    def __init__(self) -> None:
        host = socket.gethostname().replace(":", "-")[:60]
        self.me = Owner(host, _namespace(), os.getpid(), secrets.randbelow(2**31 - 1) + 1)
        self._connection: psycopg.Connection[Any] | None = None
        self._judges_from: float | None = None
        self._away = False
        self._held = threading.Event()
        self._tried = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._thread.start()

    def owner(self) -> Owner:
        """Return the name for a lease taken now: with key 0 while the lock is not ours."""
        self._tried.wait(_FIRST_WAIT_SECONDS)
        return self.me if self._held.is_set() else self.me._replace(key=0)

    def may_judge(self) -> bool:
        """Tell whether this process has seen the database for long enough to say who is not there."""
        since = self._judges_from
        return self._held.is_set() and since is not None and time.monotonic() >= since

    def stop(self) -> None:
        """Let go of the lock, and end the session."""
        self._stopping.set()
        self._thread.join(_SILENCE_SECONDS)

    def close_copy(self) -> None:
        """In a forked child: another process's session must not outlive it by our copy of its socket."""
        if self._connection is not None and not self._connection.closed:
            os.close(self._connection.fileno())

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._hold()
            except psycopg.Error as error:
                if not self._away:
                    logger.warning("no presence lock, trying on", extra={"error": type(error).__name__})
                self._away = True
            finally:
                was_held = self._forget()
            # A lock that is lost is wanted back at once; a database that does not answer is left in peace for a moment.
            self._stopping.wait(_AT_ONCE_SECONDS if was_held else _PING_SECONDS)

    def _forget(self) -> bool:
        """Close the session. Returns whether the lock was ours."""
        was_held = self._held.is_set()
        self._held.clear()
        self._tried.set()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return was_held

    def _hold(self) -> None:
        connection = self._connection = psycopg.connect(**_parameters())
        session = self._take(connection)
        while session and not self._stopping.is_set():
            # Waits on the socket: a closed connection is noticed at once, and not only at the next ping.
            list(connection.notifies(timeout=_PING_SECONDS))
            if self._ask(connection, presence.PING)[0] != session:
                logger.error("DATABASE_URL leads through a pooler that shares sessions: the dead are noticed late")
                self._stopping.set()
                return
        self._ask(connection, presence.LET_GO)

    def _take(self, connection: psycopg.Connection[Any]) -> int:
        """Return the session's process id once the lock is ours; 0 when stopped before.

        After a break the old session may have the lock for a few seconds more.
        """
        while not self._stopping.is_set():
            session, ours = self._ask(connection, presence.HOLD)
            if ours:
                self._begin()
                return int(session)
            self._tried.set()
            self._stopping.wait(_PING_SECONDS)
        return 0

    def _begin(self) -> None:
        again = self._judges_from is not None
        self._judges_from = time.monotonic() + (_SETTLE_SECONDS if again else 0.0)
        self._held.set()
        self._tried.set()
        if self._away:
            logger.info("the presence lock is held again")
        self._away = False

    def _ask(self, connection: psycopg.Connection[Any], sql: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = connection.execute(
            sql, {"class": presence.LOCK_CLASS, "key": self.me.key}
        ).fetchone()
        assert row is not None
        return row


def _namespace() -> int:
    """Return what tells this machine's or container's process ids from another's; 0 where nothing does."""
    namespace = Path("/proc/self/ns/pid")
    return namespace.stat().st_ino if namespace.exists() else 0


def _parameters() -> dict[str, Any]:
    parameters = {**database.get_connection_params(), **_KEEPALIVE}
    silence = f"-c idle_session_timeout={_SILENCE_SECONDS}s"
    parameters["options"] = " ".join(filter(None, [parameters.get("options"), silence]))
    return parameters
