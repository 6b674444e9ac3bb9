"""`make bench-renew`: renewals a second of one worker machine, what they cost, and the floor beside it."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import floor, load, table
from bench.renewal_stack import LATENCY_SECONDS, SECRET, RenewalStack, add_connections, renewed_since
from embedded.processes import Child

ASKED_RATE, ASKED_GROWTH_MB = 300, 1.0
START_SECONDS, WARM_RENEWALS, PROFILE_SECONDS = 60, 1000, 15
# So many that the processors are what limits it, and not the waiting.
FLOOR_IN_FLIGHT, FLOOR_TOKENS = 256, 3000
_INTRODUCTION = (
    "{:,} connections due, the sandbox answers after {:.0f} ms, {} worker processes. CPU in ms a renewal:\n{}"
)
HEADER = (
    f"{'window':>8} {'renewed/s':>10} {'worker':>8} {'PostgreSQL':>11} {'Valkey':>7} {'sandbox':>8} {'MB a worker':>12}"
)


@dataclass(frozen=True)
class Window:
    """Renewals a second, and CPU milliseconds a renewal by program."""

    rate: float
    worker: float
    postgresql: float
    valkey: float
    sandbox: float
    memory_mb: float


def main(words: Sequence[str]) -> int:
    """Print the table and what was asked beside what was found. Returns 0 when all of it is met."""
    parser = argparse.ArgumentParser(prog="python -m bench.renewals", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="length of a window")
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--connections", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2, help="worker processes, all on this machine")
    parser.add_argument("--claim-rows", type=int, nargs="*", default=[1000, 100_000, 1_000_000])
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="brk-bench-") as folder:
        stack = RenewalStack(Path(folder))
        try:
            met, found = _run(stack, arguments)
        finally:
            stack.stop()
    met &= _claims(arguments.claim_rows)
    print(json.dumps({**found, "met": met}))
    return 0 if met else 1


def _claims(sizes: list[int]) -> bool:
    """Whether claims are as fast among many slots; measured on servers of their own."""
    command = [sys.executable, "-m", "bench.claims", "--rows", *map(str, sizes)]
    return not sizes or subprocess.run(command, check=False).returncode == 0


def _run(stack: RenewalStack, arguments: argparse.Namespace) -> tuple[bool, dict[str, object]]:
    stack.start()
    add_connections(stack.grants(arguments.connections))
    bare = stack.grants(FLOOR_TOKENS)
    stack.control("PUT", "latency", {"token": LATENCY_SECONDS})
    url = f"{stack.sandbox_url}/connect/token"
    least = floor.measure(url, SECRET, bare, seconds=arguments.seconds / 3, in_flight=FLOOR_IN_FLIGHT)
    workers = _renewing(stack, arguments.workers)
    print(_INTRODUCTION.format(arguments.connections, LATENCY_SECONDS * 1000, arguments.workers, HEADER), flush=True)
    windows, sizes = [], [_size(workers)]
    for number in range(arguments.windows):
        windows.append(_window(stack, workers, arguments.seconds, sizes))
        _print(str(number + 1), windows[-1])
    stack.end(workers)
    reused = len(stack.control("GET", "log?decision=reuse_detected")["entries"])  # type: ignore[arg-type]
    costs, slope = _costs(stack), table.slope(sizes)
    met = _say(_verdicts(windows, slope, least, reused))
    found = {"windows": [asdict(one) for one in windows], "floor": asdict(least), "worker_cpu_ms": costs}
    return met, {**found, "memory_mb_a_minute": slope, "reused": reused}


def _renewing(stack: RenewalStack, count: int, profile: Path | None = None) -> list[Child]:
    """Workers that are past their start: connections open, code and caches warm."""
    began = time.time()
    workers = stack.start_workers(count, profile=profile)
    while renewed_since(began, time.time()) < WARM_RENEWALS:
        if time.time() > began + START_SECONDS:
            raise SystemExit(f"nothing is renewed: {workers[0].output()[-2000:]}")
        time.sleep(0.5)
    return workers


def _size(workers: list[Child]) -> tuple[float, float]:
    """The moment, and the MB of the largest worker."""
    return time.time(), max(load.memory_mb(child.process.pid) for child in workers)


def _window(stack: RenewalStack, workers: list[Child], seconds: float, sizes: list[tuple[float, float]]) -> Window:
    before, start, requests = _spent(stack, workers), time.time(), stack.last_request()
    while time.time() < start + seconds:
        sizes.append(_size(workers))
        time.sleep(min(2.0, max(start + seconds - time.time(), 0)))
    after, end = _spent(stack, workers), time.time()
    sent = stack.last_request() - requests - 1
    renewed = renewed_since(start, end)
    if sent < renewed * 0.9:
        raise SystemExit(f"{renewed} renewals from {sent} requests: something else is being measured")
    cost = {name: (after[name] - before[name]) / max(renewed, 1) * 1000 for name in after}
    return Window(rate=renewed / (end - start), **cost, memory_mb=sizes[-1][1])


def _spent(stack: RenewalStack, workers: list[Child]) -> dict[str, float]:
    """CPU seconds so far by program."""
    return {
        "worker": sum(load.tree_cpu_seconds(child.process.pid) for child in workers),
        "postgresql": sum(load.tree_cpu_seconds(pid) for pid in stack.servers("postgres")),
        "valkey": sum(load.tree_cpu_seconds(pid) for pid in stack.servers("valkey")),
        "sandbox": load.tree_cpu_seconds(stack.sandbox.process.pid),
    }


def _costs(stack: RenewalStack) -> dict[str, float]:
    """CPU milliseconds a renewal inside a worker, by cost, from a run of its own that is slowed by measuring."""
    file = stack.folder / "profile"
    # One worker, so that one file holds it all.
    workers = _renewing(stack, 1, profile=file)
    first, start = json.loads(file.read_text()), file.stat().st_mtime
    time.sleep(PROFILE_SECONDS)
    last, end = json.loads(file.read_text()), file.stat().st_mtime
    stack.end(workers)
    renewed = max(renewed_since(start, end), 1)
    costs = {name: (last[name] - first.get(name, 0.0)) / renewed * 1000 for name in last if name != "bench"}
    print("inside a worker, ms a renewal: " + ", ".join(f"{name} {cost:.2f}" for name, cost in costs.items()))
    return costs


def _verdicts(windows: list[Window], memory: float, least: floor.Floor, refused: int) -> dict[str, bool]:
    slowest = min(window.rate for window in windows)
    spent = windows[-1].worker + windows[-1].postgresql + windows[-1].valkey
    return {
        f"{slowest:.0f} renewals a second in the slowest window (asked: at least {ASKED_RATE})": slowest >= ASKED_RATE,
        f"a bare client: {least.rps:.0f} a second, {least.cpu_ms:.2f} ms each; ours {spent / least.cpu_ms:.1f} times "
        f"that with PostgreSQL and Valkey (no figure asked)": not least.bad,
        f"a worker grows by {memory:+.2f} MB a minute (asked: under {ASKED_GROWTH_MB})": memory < ASKED_GROWTH_MB,
        f"{refused} refresh tokens sent twice (asked: 0)": not refused,
    }


def _print(name: str, window: Window) -> None:
    print(
        f"{name:>8} {window.rate:>10.1f} {window.worker:>8.2f} {window.postgresql:>11.2f} {window.valkey:>7.2f} "
        f"{window.sandbox:>8.2f} {window.memory_mb:>12.0f}",
        flush=True,
    )


def _say(verdicts: dict[str, bool]) -> bool:
    for sentence, good in verdicts.items():
        print(f"{'met   ' if good else 'MISSED'}  {sentence}", flush=True)
    return all(verdicts.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
