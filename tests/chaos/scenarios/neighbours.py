"""One tenant's mountain, and one row in a hundred that is broken, are no concern of the others."""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from uuid import UUID

from tests.chaos import checker, judging, seed
from tests.chaos.ground import Ground
from tests.chaos.scenarios.faults import wait
from tests.chaos.scenarios.kills import start
from tests.chaos.site import Site
from tests.chaos.table import Row

SMALL_TENANTS, EACH = 99, 10
FAIR_SECONDS, LATE_SECONDS = 60.0, 15.0
_LEFT = "SELECT count(*) FROM tenants_credential WHERE version = 1 AND connection_id = ANY(%s)"


def one_large_tenant(ground: Ground, full: bool) -> Row:
    mountain = 200_000 if full else 4_000
    with Site(ground, "tenants", life=3600, grace=0, latency=0.05, RENEWAL_CONCURRENCY=64) as site:
        through = seed.registration()
        seed.connections(site, through, seed.tenants(1, "large"), mountain, due=(-3600, -3600))
        small = seed.connections(site, through, seed.tenants(SMALL_TENANTS), SMALL_TENANTS * EACH, due=(-1, 0))
        fleet, started = start(site, web=0), time.monotonic()
        wait(lambda: site.rows(_LEFT, small)[0][0] == 0, 4 * FAIR_SECONDS)
        took = time.monotonic() - started
        recorded, found = judging.judge(site, fleet, settle=0)
    row = judging.row(
        "one large tenant",
        found,
        load=f"{mountain:,} due of one tenant, {len(small)} of {SMALL_TENANTS} others",
        faults="none",
        note=f"the {len(small)} done within {took:.0f} s, {len(recorded.requests):,} in all",
    )
    row.wrong += [f"the others waited for {took:.0f} s"] if took > FAIR_SECONDS else []
    return row


def poisoned_rows(ground: Ground, full: bool) -> Row:
    connections, window = (3000, 40.0) if full else (300, 6.0)
    with Site(ground, "poison", life=3600, grace=0, latency=0.02) as site:
        owners = seed.tenants(20)
        ids = seed.connections(site, seed.registration(), owners, connections, due=(6.0, 6.0 + window))
        ill = random.sample(ids, max(3, connections // 100))
        _poison(site, ill)
        well = [str(one) for one in set(ids) - set(ill)]
        fleet = start(site, web=0)
        wait(lambda: site.rows(_LEFT, well)[0][0] == 0, window + 4 * LATE_SECONDS)
        recorded, found = judging.judge(site, fleet, settle=0)
        states = site.rows(
            "SELECT state, reason, count(*) FROM tenants_connection WHERE id = ANY(%s) GROUP BY 1, 2", ill
        )
    late = checker.latest(recorded, well)
    row = judging.row(
        "poisoned rows",
        found,
        load=f"{connections:,} connections",
        faults=f"{len(ill)} rows: broken seal, another's key, unknown provider",
        note=f"the others at most {late:.1f} s late",
    )
    row.wrong += [f"a good row was {late:.0f} s late"] if late > LATE_SECONDS else []
    row.wrong += [f"{count} good rows were not renewed" for count in {len(well) - len(_renewed(recorded))} if count]
    row.wrong += [
        f"{count} poisoned rows are {state}, {reason}"
        for state, reason, count in states
        if state not in ("connected", "degraded")
    ]
    return row


def _renewed(recorded: checker.History) -> set[str]:
    return {one.connection for one in recorded.versions if one.version > 1}


def _poison(site: Site, ill: Sequence[UUID]) -> None:
    kinds: list[Callable[[Site, UUID], object]] = [_broken_seal, _anothers_key, _unknown_provider]
    for number, one in enumerate(ill):
        kinds[number % len(kinds)](site, one)


def _broken_seal(site: Site, one: UUID) -> None:
    site.rows("UPDATE tenants_credential SET sealed = %s WHERE connection_id = %s", random.randbytes(200), one)


def _anothers_key(site: Site, one: UUID) -> None:
    site.rows(
        "UPDATE tenants_credential SET data_key_id = (SELECT k.id FROM tenants_datakey k JOIN tenants_connection c "
        "ON c.id = %s WHERE k.tenant_id <> c.tenant_id LIMIT 1) WHERE connection_id = %s",
        one,
        one,
    )


def _unknown_provider(site: Site, one: UUID) -> None:
    site.rows("UPDATE tenants_connection SET provider_id = %s WHERE id = %s", f"gone-{uuid.uuid4().hex[:8]}", one)
