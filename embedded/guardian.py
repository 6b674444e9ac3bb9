"""Stops what a supervisor leaves behind when it is killed and can stop nothing itself.

Run as a script by `Guardian`. Its standard input is the lifeline: it ends when the supervisor does, however
that came about. A parent-death signal would hang on the thread that started the child, is Linux only, and
reaches no grandchildren.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_SECONDS = 5.0


class Guardian:
    """A small process that outlives this one just long enough to clean up after it."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def watch(self, pid: int, stop_signal: int) -> None:
        """Have this process group stopped, should the supervisor vanish."""
        self._tell(f"watch {pid} {int(stop_signal)}")

    def forget(self, pid: int) -> None:
        """Take back `watch`: the process has ended, and its number may become somebody else's."""
        self._tell(f"forget {pid}")

    def remove(self, folder: Path) -> None:
        """Have this folder removed at the very end."""
        self._tell(f"remove {folder}")

    def close(self) -> None:
        """Let the guardian do what is left and wait for its end."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(timeout=GRACE_SECONDS * 3)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


def main() -> None:
    """Read orders until the supervisor is gone, then carry them out."""
    watched: dict[int, int] = {}
    folders: list[str] = []
    for line in sys.stdin:
        order, _, rest = line.rstrip("\n").partition(" ")
        if order == "watch":
            pid, number = rest.split()
            watched[int(pid)] = int(number)
        elif order == "forget":
            watched.pop(int(rest), None)
        elif order == "remove":
            folders.append(rest)
    stop_groups(watched)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def stop_groups(watched: dict[int, int]) -> None:
    """Ask each leader with its own signal, then kill what is left of its group."""
    for pid, number in watched.items():
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    deadline = time.monotonic() + GRACE_SECONDS
    for pid in watched:
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Tell whether a process still does something; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


if __name__ == "__main__":
    main()
