"""`python -m bench.claims`: how long a claim of 50 takes with 1,000, 100,000 and 1,000,000 slots.

Slots are renewed as they would be, only without a provider: claimed, marked as sending, finished, and as many others
come due. So each size is measured with the dead versions that renewing leaves behind. `CPU ms` is what the claim costs
PostgreSQL, whatever else the machine does.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection as database

from bench.stack import Stack

ASKED_RATIO, ASKED_MS = 1.5, 5.0
CLAIM, LEASE_SECONDS = 50, 30
# Of a hundred slots so many are due; of a thousand, as many as a claim of the others looks at.
DUE_SHARE, DUE_LEAST = 5, 250
HEADER = f"{'slots':>10} {'due':>7} {'first':>9} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>8}"
# The slots are alone: a claim reads nothing of what they belong to.
_SEED = """
    SET session_replication_role = replica;
    TRUNCATE tenants_renewalslot;
    INSERT INTO tenants_renewalslot (connection_id, tenant_id, registration_id, state, due_at, fence, lease_owner,
        intent, attempts, failure_class)
    SELECT gen_random_uuid(), md5('t' || (n %% %(tenants)s))::uuid, md5('r' || (n %% 20))::uuid, 'scheduled',
        now() + (CASE WHEN n <= %(due)s THEN -0.1 ELSE 1 END) * random() * interval '1 hour', 1, '', '', 0, ''
    FROM generate_series(1, %(rows)s) n ORDER BY random();
    SET session_replication_role = origin
"""
_FINISH = """
    UPDATE tenants_renewalslot s SET intent = '', intent_at = NULL, lease_until = NULL, lease_owner = '',
        due_at = now() + (0.65 + 0.1 * random()) * interval '1 hour'
    FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS ours (id, fence)
    WHERE s.connection_id = ours.id AND s.fence = ours.fence
"""
# As many come due as were renewed, wherever they are in the table.
_COME_DUE = """
    UPDATE tenants_renewalslot SET due_at = now() WHERE connection_id IN (
        SELECT connection_id FROM tenants_renewalslot
        WHERE state = 'scheduled' AND due_at > now() + %(chance)s * interval '35 minutes'
        ORDER BY due_at LIMIT %(count)s
    )
"""
Claims = Callable[[], Sequence[Any]]
Mark = Callable[..., set[UUID]]


class Figures(NamedTuple):
    """Milliseconds of one claim among many of its kind."""

    p50: float
    p99: float
    cpu: float


def main(words: Sequence[str]) -> int:
    """Print a row for each size and for each hindrance. Returns 0 when both figures asked for are met."""
    parser = argparse.ArgumentParser(prog="python -m bench.claims", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--claims", type=int, default=400)
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="brk-bench-") as folder:
        stack = Stack(Path(folder))
        try:
            stack.start()
            return 0 if judge(run(arguments.rows, arguments.claims)) else 1
        finally:
            stack.stop()


def run(sizes: Sequence[int], rounds: int) -> dict[int, Figures]:
    """Print and return what a claim takes at each size. Effects: replaces every slot of the database."""
    from broker.services import presence  # noqa: PLC0415  models can be imported only after django.setup()
    from broker.services.claiming import Claimer  # noqa: PLC0415
    from tenants.querysets import slots  # noqa: PLC0415

    print(HEADER)
    found = {}
    for size in sizes:
        due = max(size * DUE_SHARE // 100, DUE_LEAST)
        seed(size, due)
        claimer, held, mark = Claimer(), _first_registration(), slots.mark_sending_many
        anybodys, theirs = partial(claimer.claim, CLAIM, ()), partial(claimer.claim, CLAIM, {held})
        found[size] = measure(f"{size:>10,} {due:>7,} anybody's", anybodys, mark, rounds)
        _hide_behind(held)
        measure(f"{size:>10,} {due:>7,}      held", theirs, mark, rounds // 4)
    presence.stop()
    return found


def seed(size: int, due: int) -> None:
    """Fill the table, and let PostgreSQL know what is in it."""
    with database.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_SEED, {"rows": size, "due": due, "tenants": max(size // 50, 20)})
        cursor.execute("VACUUM ANALYZE tenants_renewalslot")
        # Or the rounds that follow would pay for writing these rows out.
        cursor.execute("CHECKPOINT")
        cursor.execute("RESET statement_timeout")


def measure(title: str, claim: Claims, mark: Mark, rounds: int) -> Figures:
    """Claim and renew so many times; print and return what the claims took."""
    chance, took, spent = random.Random(1), [], 0
    server = _server()
    for _ in range(rounds):
        cpu, start = _cpu(server), time.perf_counter()
        claims = claim()
        took.append((time.perf_counter() - start) * 1000)
        spent += _cpu(server) - cpu
        assert claims, "nothing to claim"
        _renewed(mark, claims, chance.random())
    figures = Figures(statistics.median(took), sorted(took)[int(rounds * 0.99)], spent / rounds / 1e6)
    print(f"{title} {figures.p50:>8.2f} {figures.p99:>8.2f} {figures.cpu:>8.2f}", flush=True)
    return figures


def _server() -> Path:
    """Return where Linux tells what our session's process has used, in nanoseconds."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return Path(f"/proc/{cursor.fetchone()[0]}/schedstat")


def _cpu(server: Path) -> int:
    return int(server.read_text().split()[0])


def _first_registration() -> UUID:
    with database.cursor() as cursor:
        cursor.execute("SELECT registration_id FROM tenants_renewalslot LIMIT 1")
        return UUID(str(cursor.fetchone()[0]))


def _hide_behind(held: UUID) -> None:
    """Make a registration's slots those that are due for longest: more than a claim looks at."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_renewalslot SET due_at = now() - interval '2 hours' WHERE connection_id IN "
            "(SELECT connection_id FROM tenants_renewalslot WHERE registration_id = %s LIMIT 20000)",
            [held],
        )


def _renewed(mark: Mark, claims: Sequence[Any], chance: float) -> None:
    ids = mark(claims, lease_seconds=LEASE_SECONDS)
    fences = {claim.connection_id: claim.fence for claim in claims}
    with database.cursor() as cursor:
        cursor.execute(_FINISH, {"ids": list(ids), "fences": [fences[one] for one in ids]})
        cursor.execute(_COME_DUE, {"chance": chance, "count": len(ids)})


def judge(found: dict[int, Figures]) -> bool:
    """Print what was asked for, and whether it is met."""
    few, many = found[min(found)], found[max(found)]
    ratio = many.p50 / few.p50
    verdicts = {
        f"a claim takes {ratio:.2f} times as long among many (asked: at most {ASKED_RATIO})": ratio <= ASKED_RATIO,
        f"a claim among many: {many.p50:.2f} ms (asked: under {ASKED_MS:.0f})": many.p50 < ASKED_MS,
    }
    for sentence, good in verdicts.items():
        print(f"{'met   ' if good else 'MISSED'}  {sentence}", flush=True)
    return all(verdicts.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
