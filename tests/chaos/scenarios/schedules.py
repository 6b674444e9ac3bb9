"""Who pokes the workers, and what time they think it is, makes no difference to what the provider sees."""

from dataclasses import dataclass

from tests.chaos import checker, judging, seed
from tests.chaos.checker import Findings, History
from tests.chaos.ground import Ground
from tests.chaos.scenarios.faults import wait
from tests.chaos.scenarios.kills import start
from tests.chaos.site import Site
from tests.chaos.table import Row

HOUR = 3600.0
# By what it is called: how many beats, and by how much the clock of workers and beats is wrong.
VARIANTS = {
    "1 beat": (1, 0.0),
    "no beat": (0, 0.0),
    "3 beats": (3, 0.0),
    "clock +1 h": (1, HOUR),
    "clock -1 h": (1, -HOUR),
}
FIRST_DUE, LATE_SECONDS, EARLY_SECONDS = 6.0, 15.0, 1.0


@dataclass
class Pass:
    """One variant: what was recorded, and what was wrong."""

    recorded: History
    found: Findings

    def strange_times(self) -> list[str]:
        late = checker.latest(self.recorded)
        early = max((one.due - one.at for one in self.recorded.sendings if one.due), default=0.0)
        return [f"{late:.0f} s late"] * (late > LATE_SECONDS) + [f"{early:.0f} s early"] * (early > EARLY_SECONDS)


def beats_and_clocks(ground: Ground, full: bool) -> Row:
    connections, window = (2000, 45.0) if full else (150, 5.0)
    passes = {name: _passed(ground, connections, window, *variant) for name, variant in VARIANTS.items()}
    counts = {name: len(one.recorded.requests) for name, one in passes.items()}
    together = Findings()
    for one in passes.values():
        for kind in Findings.__slots__:
            getattr(together, kind).extend(getattr(one.found, kind))
    row = judging.row(
        "beats and worker clocks, grace 0 s",
        together,
        load=f"{len(passes)} x {connections:,} renewals",
        faults=", ".join(passes),
        note=f"{min(counts.values()):,} to {max(counts.values()):,} provider requests",
    )
    row.wrong += [f"{name}: {what}" for name, one in passes.items() for what in one.strange_times()]
    row.wrong += [
        f"{name}: {count:,} requests" for name, count in counts.items() if abs(count - connections) > connections / 100
    ]
    return row


def _passed(ground: Ground, connections: int, window: float, beats: int, clock: float) -> Pass:
    """Tokens that live for an hour: each falls due once, and a clock that counted would bring it on again, or never."""
    with Site(ground, "schedules", life=int(HOUR), grace=0, latency=0.02) as site:
        through, owners = seed.registration(), seed.tenants(20)
        due = (FIRST_DUE, FIRST_DUE + window)
        seed.connections(site, through, owners, connections, due=due, life=HOUR / 4)
        fleet = start(site, web=0, beats=beats, clock=clock)
        wait(lambda: _renewed(site) >= connections, FIRST_DUE + window + 4 * LATE_SECONDS)
        # Time for a second renewal, which nobody should think of.
        wait(lambda: _renewed(site) > connections, 3.0)
        return Pass(*judging.judge(site, fleet, settle=0))


def _renewed(site: Site) -> int:
    return int(site.rows("SELECT count(*) FROM chaos_version WHERE version > 1")[0][0])
