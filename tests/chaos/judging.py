"""What every scenario does in the end: let the broker settle, stop it, read the evidence, and judge it."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from django.db import connection

from tests.chaos import checker, history, settling
from tests.chaos.checker import Findings, History, Served
from tests.chaos.fleet import Fleet
from tests.chaos.site import Site
from tests.chaos.table import Row


def judge(
    site: Site,
    fleet: Fleet,
    *,
    served: Iterable[Served] = (),
    ended: Iterable[str] = (),
    settle: float = 60.0,
) -> tuple[History, Findings]:
    """Return what was recorded, and what is wrong with it.

    Shape: ended are grants that the scenario has ended at the provider.
    Units: settle is how many seconds everything may take to be renewed a last time; 0: it is judged as it is.
    """
    if settle:
        settling.settle(site, seconds=settle)
    fleet.stop()
    # The server may have been restarted since.
    connection.close()
    recorded = history.read(site, served=served, ended=ended)
    # For whoever looks into a failure: fingerprints and times, no secrets.
    (site.folder / "history.json").write_text(json.dumps(asdict(recorded), default=sorted, indent=0))
    return recorded, checker.check(recorded)


def row(test: str, found: Findings, *, losses_allowed: bool = False, **cells: object) -> Row:
    """Return the table's row. `losses_allowed`: those that were told, and where the reply was really lost."""
    wrong = [*found.silent, *found.unexplained, *found.doubled, *found.dropped, *found.blamed]
    wrong += [*found.mixed, *found.early, *found.forgotten]
    if not losses_allowed:
        wrong = [*found.lost, *wrong]
    counts = {"lost": len(found.lost), "doubled": len(found.doubled), "blamed": len(found.blamed)}
    return Row(test=test, wrong=wrong, **counts, **cells)  # type: ignore[arg-type]
