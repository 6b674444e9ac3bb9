"""`make bench`: its own PostgreSQL and web server, 1,000 and then 100,000 connections, the floor beside each figure."""

import argparse
import json
import os
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import django
import httpx2
from django.core.management import call_command

from bench import load, signing
from embedded import programs, servers, settings_for_tests
from embedded.guardian import Guardian
from embedded.processes import Processes
from embedded.sockets import socket_folder

ASKED_RATIO, ASKED_GROWTH, ASKED_MEMORY_MB, ASKED_SIGNED = 0.25, 1.1, 150.0, 0.9
CONNECTIONS = (1, 16, 64)
HEADER = (
    f"{'connections':>12} {'clients':>8} {'what':>8} {'req/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'bad':>4}"
)


class Stack:
    """A PostgreSQL with durable settings and the broker on it, both our own, gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.guardian = Guardian()
        self.processes = Processes(folder, self.guardian)
        self.guardian.remove(socket_folder(folder / "s"))
        self.folder = folder
        self.port = free_port()
        for name in ("DATABASE_URL", "REDIS_URL"):
            os.environ.pop(name, None)

    def start(self) -> None:
        os.environ.update(servers.start_missing(self.processes, self.folder))
        os.environ["PUBLIC_URL"] = f"http://127.0.0.1:{self.port}"
        settings_for_tests.set_missing()
        os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"
        django.setup()
        call_command("migrate", verbosity=0)

    def serve(self) -> None:
        self.web = self.processes.start("web", programs.web(self.port, "127.0.0.1"), environment=os.environ)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx2.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx2.HTTPError:
                time.sleep(0.1)
        raise SystemExit(f"the web server did not start: {self.web.output()}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def web_pids(self) -> list[int]:
        return load.descendants(self.web.process.pid)

    def all_pids(self) -> list[int]:
        return [pid for pid in load.descendants(os.getpid()) if pid != os.getpid()]

    def stop(self) -> None:
        self.processes.stop()
        self.guardian.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def measure(
    stack: Stack, key: str, ids: list[uuid.UUID], arguments: argparse.Namespace
) -> dict[int, tuple[float, float]]:
    """Print the rows for one table size; return by clients: (share of the floor, CPU microseconds a token)."""
    script = load.write_script(stack.folder / "token.lua", ids, key)
    results = {}
    for clients in CONNECTIONS:
        floors, tokens = [], []
        for _ in range(arguments.rounds):
            pids = stack.all_pids()
            floors.append(load.run(f"{stack.url}/v1/floor", pids, connections=clients, seconds=arguments.seconds))
            tokens.append(load.run(stack.url, pids, connections=clients, seconds=arguments.seconds, script=script))
        floor, token = load.median(floors), load.median(tokens)
        _print(len(ids), clients, "floor", floor)
        _print(len(ids), clients, "token", token)
        results[clients] = (token.rps / floor.rps, token.cpu_us)
    return results


def measure_signed(
    stack: Stack,
    key: str,
    ids: dict[str, list[uuid.UUID]],
    requests: dict[str, str | None],
    rounds: int,
    seconds: float,
) -> dict[str, float]:
    """Print a row for each kind of answer at 16 clients; return its requests a second, by name."""
    scripts = {
        name: load.write_script(stack.folder / f"{name}.lua", ids[name], key, body=requests[name]) for name in ids
    }
    runs: dict[str, list[load.Figures]] = {name: [] for name in ids}
    for _ in range(rounds):
        # One after the other in each round, so that whatever else the machine does meets all of them.
        for name, script in scripts.items():
            pids = stack.all_pids()
            runs[name].append(load.run(stack.url, pids, connections=16, seconds=seconds, script=script))
    for name, figures in runs.items():
        _print(len(ids[name]), 16, name, load.median(figures))
    return {name: load.median(figures).rps for name, figures in runs.items()}


def _print(rows: int, clients: int, what: str, figures: load.Figures) -> None:
    print(
        f"{rows:>12,} {clients:>8} {what:>8} {figures.rps:>9,.0f} {figures.p50:>8.2f} {figures.p99:>8.2f} "
        f"{figures.cpu_us:>8.0f} {figures.bad:>4}",
        flush=True,
    )


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=100_000)
    arguments = parser.parse_args(words)
    load.find_wrk()
    with tempfile.TemporaryDirectory(prefix="brk-bench-") as folder:
        stack = Stack(Path(folder))
        try:
            return _run(stack, arguments)
        finally:
            stack.stop()


def _run(stack: Stack, arguments: argparse.Namespace) -> int:
    stack.start()
    from bench import seed  # noqa: PLC0415  models can be imported only after django.setup()

    key, owners = seed.caller_key(), seed.tenants()
    through = seed.registration(seed.EACCOUNTING)
    ids = seed.connections(owners, through, seed.EACCOUNTING, arguments.few)
    stack.serve()
    load.run(f"{stack.url}/v1/floor", [], connections=16, seconds=2)
    print(HEADER)
    few = measure(stack, key, ids, arguments)
    ids += seed.connections(owners, through, seed.EACCOUNTING, arguments.many - arguments.few)
    many = measure(stack, key, ids, arguments)
    answers, bodies = {"token": ids[: arguments.few]}, {"token": None}
    for name, kind in (("netvisor", seed.NETVISOR), ("fivaldi", seed.FIVALDI)):
        answers[name] = seed.connections(owners, seed.registration(kind), kind, arguments.few)
        bodies[name] = json.dumps(kind.request)
    signed = measure_signed(stack, key, answers, bodies, arguments.rounds, arguments.seconds)
    memory = max(load.memory_mb(pid) for pid in stack.web_pids())
    met = _judge(few, many, memory) & _judge_signed(signed)
    return 0 if met & (signing.main() == 0) else 1


def _judge(few: dict[int, tuple[float, float]], many: dict[int, tuple[float, float]], memory: float) -> bool:
    share = few[16][0]
    growth = many[16][1] / few[16][1]
    return _say(
        {
            f"fresh token at 16 clients: {share:.2f} of the floor (asked: at least {ASKED_RATIO})": share
            >= ASKED_RATIO,
            f"many connections cost {growth:.2f} times the CPU of few (asked: at most {ASKED_GROWTH})": growth
            <= ASKED_GROWTH,
            f"largest web worker: {memory:.0f} MB (asked: under {ASKED_MEMORY_MB:.0f})": memory < ASKED_MEMORY_MB,
        }
    )


def _judge_signed(signed: dict[str, float]) -> bool:
    shares = {name: rate / signed["token"] for name, rate in signed.items() if name != "token"}
    return _say(
        {
            f"headers of {name}: {share:.2f} of the fresh tokens' rate (asked: at least {ASKED_SIGNED})": share
            >= ASKED_SIGNED
            for name, share in shares.items()
        }
    )


def _say(verdicts: dict[str, bool]) -> bool:
    for sentence, good in verdicts.items():
        print(f"{'met   ' if good else 'MISSED'}  {sentence}", flush=True)
    return all(verdicts.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
