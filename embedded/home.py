"""The folder that holds everything of one installation on this machine: data, keys, logs, addresses."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.errors import EmbeddedError
from embedded.sockets import private_folder

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Home:
    """One such folder; `var/` in the checkout unless told otherwise."""

    root: Path = CHECKOUT / "var"

    @property
    def logs(self) -> Path:
        """Where each process writes its own file."""
        return self.root / "log"

    @property
    def run_file(self) -> Path:
        """What runs now, for programs that want to talk to it; absent when nothing runs."""
        return self.root / "run.json"

    def prepare(self) -> None:
        """Make the folders, closed to other users."""
        for folder in (self.root, self.logs, self.root / "catalogue"):
            private_folder(folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the kernel lets go when the process ends, however it ends.

        Raises: EmbeddedError when another process holds it.
        """
        self.prepare()
        with (self.root / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._taken(lock.name) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def _taken(self, lock: str) -> EmbeddedError:
        pid = Path(lock).read_text().strip() or "unknown"
        return EmbeddedError(
            f"Already running here (process {pid}, folder {self.root}). Stop that one with Ctrl-C first."
        )

    def running(self) -> dict[str, Any] | None:
        """Return what the running installation wrote about itself, or None when nothing runs."""
        if not self.run_file.exists():
            return None
        with (self.root / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return self.read("run.json")
        return None

    def read(self, name: str) -> dict[str, Any]:
        """Return what was written under this name, empty when nothing was."""
        path = self.root / name
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Keep a value for the next start."""
        write_private(self.root / name, json.dumps(value, indent=2) + "\n")

    def secret(self, name: str, make: Callable[[], str]) -> Path:
        """Return the file that holds this secret, made on the first start."""
        path = self.root / name
        if not path.exists():
            write_private(path, make() + "\n")
        return path


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, readable by this user only."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
