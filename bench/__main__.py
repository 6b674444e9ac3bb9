"""`make bench`: the token path beside its floor, and what else an internal service meets, in one run and one table.

PostgreSQL, the web servers, a worker and the load generators are all on this machine, in rounds that take turns.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import catalogue, growth, hand_outs, latency, load, peer, signing, steps, strangers, table, warm_client
from bench.scene import Scene
from bench.stack import FLOOR, Stack
from bench.table import Row

ASKED_MEMORY_MB, ASKED_GROWTH_MB = 150.0, 1.0
PROVIDER_SECONDS = 0.2
MANY, QUICK = 1_000_000, 100_000


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=MANY)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} connections instead of {MANY:,}")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    arguments = parser.parse_args(words)
    load.find_wrk()
    began = time.monotonic()
    with _scene(arguments) as scene:
        rows = [row for name, measure in MEASURES.items() if name in arguments.only for row in measure(scene)]
    good = table.show(rows)
    print(f"{time.monotonic() - began:.0f} s")
    return 0 if good else 1


@contextmanager
def _scene(arguments: argparse.Namespace) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="brk-bench-") as name, peer.answering(PROVIDER_SECONDS) as (port, _):
        folder = Path(name)
        stack = Stack(folder)
        try:
            catalogue.write(folder, f"http://127.0.0.1:{port}")
            stack.start()
            many = arguments.few + 1 if "growth" not in arguments.only else QUICK if arguments.quick else arguments.many
            stack.seed(few=arguments.few, many=many)
            yield _serve(stack, arguments)
        finally:
            stack.stop()


def _serve(stack: Stack, arguments: argparse.Namespace) -> Scene:
    web, many, floor = stack.serve("web"), stack.serve("web-many", database_name="many"), stack.serve("floor", FLOOR)
    for one in (web, many, floor):
        one.wait()
    scene = Scene(stack.folder, stack, web, many, floor, rounds=arguments.rounds, seconds=arguments.seconds)
    scene.warm([web, many, floor])
    print(table.ROUND_HEADER)
    return scene


def _memory(scene: Scene) -> list[Row]:
    """How large the web workers are, from what was noted after every round of the run."""
    if not scene.sizes:
        scene.saturated()
    sizes = [size for _, size in scene.sizes]
    told = " ".join(f"{size:.0f}" for size in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    largest = max(*sizes, scene.many.worker_mb())
    return [
        Row("MB of a web worker, at start, middle and end", told),
        table.under("the largest web worker", largest, ASKED_MEMORY_MB, " MB", 0),
        table.under("its growth a minute, in the later half", table.slope(scene.sizes), ASKED_GROWTH_MB, " MB"),
    ]


def _steps(scene: Scene) -> list[Row]:
    """Print where the time goes; in a process of its own, as the application is in a server's."""
    sys.stdout.flush()
    subprocess.run(steps.of(scene.folder), check=True)
    return []


Measure = Callable[[Scene], list[Row]]
MEASURES: dict[str, Measure] = {
    "fresh": hand_outs.fresh,
    "batch": hand_outs.batch,
    "signed": hand_outs.signed,
    "growth": growth.growth,
    "latency": lambda scene: latency.latency(scene, os.environ["DATABASE_URL"]),
    "strangers": strangers.strangers,
    "memory": _memory,
    "client": lambda _: warm_client.client(),
    "signing": lambda _: signing.signatures(),
    "steps": _steps,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
