"""What no real process is needed for: stories told by a virtual clock, every state of a small model, broken replies."""

import os
from itertools import pairwise

from tests.chaos import shares
from tests.chaos.ground import Ground
from tests.chaos.table import Row
from tests.chaos_support import model, replies, wire

SEED = 1


def random_interleavings(ground: Ground, full: bool) -> Row:
    # As many processes as there are cores; a database of its own for each, since they tell of the same tenant.
    count, processes = (10_000, os.cpu_count() or 1) if full else (100, 1)
    ends = [SEED + count * number // processes for number in range(processes + 1)]
    found = shares.tell([shares.Share(ground.fresh_database(), begin, end) for begin, end in pairwise(ends)])
    return Row(
        test="random interleavings",
        load=f"{found.count:,} stories, {found.renewals:,} requests",
        faults=f"{found.deaths:,} deaths, reconnects, disconnects",
        note=f"{found.rotation_lost:,} told as rotation_lost",
        wrong=list(found.problems),
    )


def exhaustive_model(ground: Ground, full: bool) -> Row:
    found = model.run()
    return Row(
        test="every state of a small model",
        load=f"{sum(one.states for one in found.values()):,} states",
        faults="a death or a delay anywhere",
        wrong=[f"grace {grace}: {one.problem}: {' > '.join(one.trace)}" for grace, one in found.items() if one.problem],
    )


def malformed_replies(ground: Ground, full: bool) -> Row:
    count, damaged = (100_000, 2000) if full else (3000, 60)
    found = replies.run(count, SEED)
    endings = wire.run(damaged, SEED)
    return Row(
        test="malformed token replies",
        load=f"{found.count:,} replies, {endings.total():,} more on the wire",
        faults=f"{len(found.kinds)} kinds of bodies, {len(endings)} kinds of endings",
        blamed=0,
        note=f"at most {found.peak_bytes / 2**20:.0f} MiB for one reply",
    )
