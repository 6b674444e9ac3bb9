"""`make fuzz`: every operation with thousands of requests, seed after seed.

Prints one table and the findings; the exit status is 1 when there are any.
"""

import argparse
import importlib
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import django

from embedded import pytest_plugin, settings_for_tests

DEFAULT_EXAMPLES = 500


def main(words: Sequence[str]) -> int:
    asked = _parser().parse_args(words)
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    settings_for_tests.set_missing()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "broker.settings")
    pytest_plugin.start_missing()
    django.setup()
    # It reads the environment when it is imported.
    session = importlib.import_module("tests.fuzz.session")
    seeds = [asked.seed + number for number in range(asked.seeds)]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        if asked.timing:
            return int(session.timing(Path(folder)))
        return int(session.fuzz(Path(folder), seeds, asked.examples, asked.only))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=DEFAULT_EXAMPLES, help="requests made up for an operation")
    parser.add_argument("--seed", type=int, default=random.getrandbits(31), help="begin with this one")
    parser.add_argument("--seeds", type=int, default=1, help="how many runs, each with the next seed")
    parser.add_argument("--only", default="", metavar="OPERATION_ID", help="one operation")
    parser.add_argument("--timing", action="store_true", help="only compare how long refusals take")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
