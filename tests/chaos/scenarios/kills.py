"""Workers die in the middle of renewals: with a grace time nothing is lost, without one only what cannot be helped."""

import sys
from uuid import UUID

from tests.chaos import judging, seed
from tests.chaos.fleet import Fleet
from tests.chaos.ground import Ground
from tests.chaos.killer import Killer
from tests.chaos.readers import Readers
from tests.chaos.site import Site
from tests.chaos.table import Row

LIFE = 8
SETTLE_SECONDS = 200.0
WITHDRAWN = 3
WORKERS = ("one", "two", "three")


def with_grace(ground: Ground, full: bool) -> Row:
    return _killed(ground, full, grace=5)


def without_grace(ground: Ground, full: bool) -> Row:
    return _killed(ground, full, grace=0)


def _killed(ground: Ground, full: bool, *, grace: int) -> Row:
    connections, deaths, pause = (300, 500, (0.2, 1.0)) if full else (100, 52, (0.02, 0.25))
    with Site(ground, f"kills-{grace}", life=LIFE, grace=grace) as site:
        ids = _connections(site, connections)
        key, fleet = seed.caller_key(), start(site, points=True, workers=3)
        killer = Killer(site, fleet)
        with Readers(fleet.webs, key, ids, min_ttl=LIFE - 3, pause=0.1) as readers:
            killer.kill(deaths // 2, pause=pause)
            ended = _withdrawn(site)
            killer.kill(deaths - deaths // 2, pause=pause)
        recorded, found = judging.judge(site, fleet, served=readers.served, ended=ended, settle=SETTLE_SECONDS)
        answers = dict(readers.answers)
    print(
        f"  deaths by point: {killer.by_point}, at any moment: {killer.at_random}; readers: {answers}", file=sys.stderr
    )
    note = f"{len(found.lost)} told as rotation_lost" if found.lost else ""
    row = judging.row(
        f"killed workers, grace {grace} s",
        found,
        losses_allowed=grace == 0,
        load=f"{len(recorded.requests):,} renewals",
        faults=f"{len(recorded.kills):,} SIGKILL, {len(ended)} grants withdrawn",
        note=note,
    )
    row.wrong += [f"nobody died at the point: {point}" for point, times in killer.by_point.items() if not times]
    return row


def _connections(site: Site, count: int) -> list[UUID]:
    """All of one registration: many losses of ours at once must not make the provider look as if it refused all."""
    return seed.connections(site, seed.registration(), seed.tenants(5), count)


def _withdrawn(site: Site) -> set[str]:
    """A few customers really take their consent back meanwhile: they have to be told, and are nobody's loss."""
    grants = sorted({entry["grant"] for entry in site.sandbox.token_requests() if entry["grant"]})
    return {grant for grant in grants[:WITHDRAWN] if site.sandbox.withdraw(grant)}


def start(
    site: Site, *, points: bool = False, clock: float = 0.0, workers: int = 2, web: int = 1, beats: int = 2
) -> Fleet:
    """Return workers, beats and a web process, all ready."""
    fleet = site.fleet(points=points, clock=clock)
    for name in WORKERS[:workers]:
        fleet.worker(name)
    for number in range(beats):
        fleet.beat(f"beat{number}")
    fleet.web(servers=web)
    fleet.wait_ready()
    return fleet
