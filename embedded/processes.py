"""Child processes: started in groups of their own, logged to files, stopped together."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import ProcessDied
from embedded.guardian import Guardian, alive

GRACE_SECONDS = 6.0
LOG_LIMIT_BYTES = 5_000_000


@dataclass(frozen=True)
class Child:
    """One running program of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int
    stop_signal: int

    @property
    def running(self) -> bool:
        """Whether the program is still there."""
        return self.process.poll() is None

    def output(self) -> str:
        """Return what this run of the program wrote so far."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def obituary(self) -> ProcessDied:
        """Return the error that tells which program ended, how, and its last words."""
        tail = "\n".join(f"    {line}" for line in self.output().splitlines()[-15:])
        return ProcessDied(f"{self.name} ended with {_ending(self.process)}. From {self.log}:\n{tail}")


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"


class Processes:
    """A set of children that are stopped together, the last one started first to be asked."""

    def __init__(self, log_folder: Path, guardian: Guardian) -> None:
        self.log_folder = log_folder
        self._guardian = guardian
        self._children: list[Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stop_signal: int = signal.SIGTERM,
    ) -> Child:
        """Return the child, just started.

        Effects: output goes straight to `<name>.log`, so that nothing blocks or breaks when we are gone.
        Its own session keeps the terminal's Ctrl-C away: we decide the order of the end.
        """
        log = self._log(name)
        with log.open("ab") as output:
            start = output.tell()
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment) if environment is not None else None,
                cwd=folder,
                start_new_session=True,
            )
        self._guardian.watch(process.pid, stop_signal)
        child = Child(name, process, log, start, stop_signal)
        self._children.append(child)
        return child

    def _log(self, name: str) -> Path:
        log = self.log_folder / f"{name}.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return log

    def raise_if_dead(self) -> None:
        """Do nothing while all run.

        Raises: ProcessDied naming the first that ended.
        """
        for child in self._children:
            if not child.running:
                raise child.obituary()

    def forget(self, child: Child) -> None:
        """Take out a child that has ended and is to be started anew."""
        self._children.remove(child)
        self._guardian.forget(child.process.pid)

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Ask all to end, wait, kill what stays, group by group.

        Units: `grace` in seconds, for all together.
        """
        for child in reversed(self._children):
            if child.running:
                child.process.send_signal(child.stop_signal)
        deadline = time.monotonic() + grace
        for child in reversed(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(OSError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
            self._guardian.forget(child.process.pid)
        self._children.clear()


def stop_leftover(pid_file: Path, mark: str, stop_signal: int) -> None:
    """Stop the server that an earlier run left behind, if the number in the file is still that server.

    Two servers on one data folder destroy it. The mark, part of its command line, tells it from a stranger
    that got the same number since.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, ValueError, IndexError):
        return
    if mark not in command:
        return
    with contextlib.suppress(OSError):
        os.kill(pid, stop_signal)
    deadline = time.monotonic() + GRACE_SECONDS
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
