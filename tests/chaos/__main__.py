"""`make chaos`: the broker as real processes, what can go wrong, and a judge who sees only what was recorded.

Prints one table; the exit status is 1 when a row failed or was not run.
"""

import argparse
import importlib
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.ground import Ground
from tests.chaos.table import Row, printed


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    # So that what was started is stopped, and what was found so far is told.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ground = Ground(Path(tempfile.mkdtemp(prefix="chaos-")))
    rows: list[Row] = []
    try:
        ground.start()
        # What follows imports Django's models, which is possible only now.
        scenarios = importlib.import_module("tests.chaos.scenarios").ALL
        for name in arguments.only or scenarios:
            rows.append(_run(ground, name, scenarios[name], arguments.full))
    except KeyboardInterrupt:
        rows.append(Row(test="the rest", not_run="interrupted"))
    finally:
        _leave(ground, keep=arguments.keep or any(row.wrong for row in rows))
    print(printed(rows), flush=True)
    return int(any(row.wrong or row.not_run for row in rows))


def _leave(ground: Ground, *, keep: bool) -> None:
    ground.stop(keep=keep)
    if keep:
        print(f"logs and histories: {ground.folder}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long form: about an hour")
    parser.add_argument("--only", action="append", metavar="NAME", help="one test of the table; repeatable")
    parser.add_argument("--keep", action="store_true", help="leave logs and histories behind even if all is well")
    return parser


def _run(ground: Ground, name: str, scenario: Callable[[Ground, bool], Row], full: bool) -> Row:
    started = time.monotonic()
    print(f"{name} ...", file=sys.stderr, flush=True)
    try:
        row = scenario(ground, full)
    except Exception as failure:
        traceback.print_exc()
        row = Row(test=name, wrong=[f"{type(failure).__name__}: {failure}"])
    print(f"{name}: {row.verdict} after {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
