"""`python -m bench.seeding FOLDER --few 1000 --many 1000000`: what the rounds of `make bench` ask for.

A process of its own, so that the one that measures holds no connection and no model. Two databases of one server hold
the same tenants, caller and registrations; the second has many more connections. Into FOLDER go files with a line for
each id: few, many, netvisor, fivaldi; what a caller has signed: netvisor.json, fivaldi.json; the API key: key; and
well-formed keys that nobody has: strangers.
"""

import argparse
import json
import os
import secrets
import sys
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import django

django.setup()

# Only now: models can be imported only when Django's apps are ready.
from django.conf import settings  # noqa: E402
from django.db import connection as database  # noqa: E402

from bench import bulk, seed  # noqa: E402
from bench.stack import database_url  # noqa: E402
from tenants.models import Tenant  # noqa: E402

MANY = "many"
TENANTS, STRANGERS, SIGNED, RENEWED = 1000, 200_000, 100, 2000


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.seeding")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=1_000_000)
    arguments = parser.parse_args(words)
    url, folder = os.environ["DATABASE_URL"], arguments.folder
    owners = seed.tenants(TENANTS)
    _write(folder / "key", [seed.caller_key()])
    _write(folder / "strangers", (stranger() for _ in range(STRANGERS)))
    _write_few_and_many(folder, url, owners, arguments)
    # Only now, so that the second database has nothing but what its rounds ask for.
    for kind in (seed.NETVISOR, seed.FIVALDI):
        _write(folder / kind.provider, bulk.add(url, owners, seed.registration(kind), kind, SIGNED))
        _write(folder / f"{kind.provider}.json", [json.dumps(kind.request)])
    bulk.add(url, owners, seed.registration(seed.RENEWED), seed.RENEWED, RENEWED)
    bulk.settle(url)
    return 0


def _write_few_and_many(folder: Path, url: str, owners: Sequence[Tenant], arguments: argparse.Namespace) -> None:
    through, kind = seed.registration(seed.EACCOUNTING), seed.EACCOUNTING
    few = bulk.add(url, owners, through, kind, arguments.few)
    database.close()
    database.close_pool()  # type: ignore[attr-defined]
    bulk.copy_database(url, MANY)
    many = database_url(os.environ, MANY)
    rest = bulk.add(many, owners, through, kind, arguments.many - arguments.few)
    bulk.settle(many)
    _write(folder / "few", few)
    _write(folder / "many", [*few, *rest])


def stranger() -> str:
    """A key in the right form, with the right checksum, that no caller has."""
    key_id, secret = secrets.token_hex(6), secrets.token_hex(22)[:43]
    body = f"brk_{settings.BROKER_ENVIRONMENT}_{key_id}_{secret}"
    return f"{body}_{zlib.crc32(body.encode()):08x}"


def _write(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
