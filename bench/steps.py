"""`python -m bench.steps`: where the time of a fresh token goes, step by step, inside the application's own process.

Every request goes through the WSGI callable that the web server calls, in a process of its own that does nothing else.
While it works, a timer looks at the stack, every millisecond of the clock and then of CPU; each look is booked to the
innermost step that it finds. Functions are not slowed by that, as they would be by a profiler that counts calls.
"""

import argparse
import importlib
import io
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from bench import catalogue
from bench.stack import BROKER, Stack

_EVERY_SECONDS = 0.001
REQUESTS = 8000
# Nothing is renewed here.
NOWHERE = "http://127.0.0.1:9"
# The innermost frame with one of these in its file's path names the step. First match wins.
STEPS = (
    ("/psycopg_pool/", "pool: take and give back a connection"),
    ("/psycopg/", "PostgreSQL: send, wait, read the row"),
    ("/django/db/", "Django's database layer"),
    ("/tenants/vault.py", "unseal"),
    ("/tenants/keyring.py", "unseal"),
    ("/cryptography/", "unseal"),
    ("/broker/services/credential", "unseal: decode what was sealed"),
    ("/tenants/querysets/", "PostgreSQL: send, wait, read the row"),
    ("/broker/services/callers.py", "key: form, checksum, hash"),
    ("/broker/services/counts.py", "count the read for the audit"),
    ("/broker/services/rate", "rate limit"),
    ("/broker/services/admission.py", "may they: key, policy, state"),
    ("/broker/services/policy.py", "may they: key, policy, state"),
    ("/broker/services/directory.py", "may they: key, policy, state"),
    ("/providers/", "provider: base URL and headers"),
    ("/broker/services/", "token path: the rest of the services"),
    ("/broker/api/", "HTTP: route, parameters, answer"),
    ("/broker/", "HTTP: route, parameters, answer"),
    ("/django/", "Django"),
    ("/bench/", "the measurement itself"),
)


def step_of(frame: FrameType | None) -> str:
    """The step that a stack is in."""
    while frame is not None:
        path = frame.f_code.co_filename
        for mark, step in STEPS:
            if mark in path:
                return step
        frame = frame.f_back
    return "elsewhere"


class Looks:
    """Counts where the main thread is, while it is used as a context; by the clock, or by the CPU that it uses."""

    def __init__(self, timer: int, sign: signal.Signals) -> None:
        self.counts: Counter[str] = Counter()
        self._timer, self._sign = timer, sign

    def __enter__(self) -> "Looks":
        signal.signal(self._sign, lambda _, frame: self.counts.update([step_of(frame)]))
        signal.setitimer(self._timer, _EVERY_SECONDS, _EVERY_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(self._timer, 0)

    def of(self, step: str, whole: float) -> float:
        """What the step takes of the whole."""
        return whole * self.counts[step] / max(self.counts.total(), 1)


def ask(application: Any, environ: dict[str, Any]) -> bytes:
    """One request. Raises SystemExit for another answer than 200."""
    told: list[str] = []
    body = b"".join(application(environ | {"wsgi.input": io.BytesIO()}, lambda status, headers: told.append(status)))
    if told != ["200 OK"]:
        raise SystemExit(f"answered {told}: {body[:300]!r}")
    return body


def environ_of(connection_id: str, key: str) -> dict[str, Any]:
    """What a WSGI server makes of a request for a token."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/v1/connections/{connection_id}/token",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def measure(folder: Path, count: int) -> int:
    """Ask so many times for the tokens of folder/few and print the table."""
    module, name = BROKER.split(":")
    application = getattr(importlib.import_module(module), name)
    key, ids = (folder / "key").read_text().strip(), (folder / "few").read_text().split()
    chance = random.Random(1)
    requests = [environ_of(chance.choice(ids), key) for _ in range(count)]
    for one in requests[: count // 10 + 100]:
        ask(application, one)
    wall, cpu = time.perf_counter(), time.thread_time()
    for one in requests:
        ask(application, one)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    by_clock, by_cpu = Looks(signal.ITIMER_REAL, signal.SIGALRM), Looks(signal.ITIMER_PROF, signal.SIGPROF)
    for looks in (by_clock, by_cpu):
        with looks:
            for one in requests:
                ask(application, one)
    _print(by_clock, by_cpu, wall / count * 1e6, cpu / count * 1e6)
    return 0


def _print(by_clock: Looks, by_cpu: Looks, wall_us: float, cpu_us: float) -> None:
    print("\nwhere the time of a fresh token goes, in the application, one at a time")
    print(f"{'step':<44} {'us':>8} {'CPU us':>8}")
    print(f"{'all':<44} {wall_us:>8.1f} {cpu_us:>8.1f}")
    for step, _ in (by_clock.counts + by_cpu.counts).most_common():
        print(f"{step:<44} {by_clock.of(step, wall_us):>8.1f} {by_cpu.of(step, cpu_us):>8.1f}", flush=True)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--folder", type=Path, help="with key and ids, where servers run already (DATABASE_URL)")
    given = parser.parse_args(words)
    if given.folder is not None:
        return measure(given.folder, given.requests)
    with tempfile.TemporaryDirectory(prefix="brk-bench-") as folder:
        return _alone(Path(folder), given.requests)


def of(folder: Path, count: int = REQUESTS) -> list[str]:
    """The command that measures where servers run already, whose addresses are in the environment."""
    return [sys.executable, "-m", "bench.steps", "--folder", str(folder), "--requests", str(count)]


def _alone(folder: Path, count: int) -> int:
    stack = Stack(folder)
    try:
        catalogue.write(folder, NOWHERE)
        stack.start()
        stack.seed(few=1000, many=1000)
        # Its threads would outlive the servers that they ask.
        return subprocess.run(of(folder, count)).returncode
    finally:
        stack.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
