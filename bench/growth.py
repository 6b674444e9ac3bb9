"""The same questions to few connections and to many: fresh tokens of any of them, and pages of the list."""

import json
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx2

from bench import table
from bench.load import Figures
from bench.scene import FLUSH_SECONDS, Scene
from bench.stack import Web
from bench.table import Row

ASKED_GROWTH = 1.1
PAGE, DEEP = 20, 50
# They cost so much more that a shorter round says as much.
_PAGE_SHARE = 0.67
# Of the tenants' sizes in bench/bulk.py: one that fills a page in the small database too.
TENANT = "bench-3"
PAGES = ("first page", f"page {DEEP}", "one tenant's page")


def growth(scene: Scene) -> list[Row]:
    """What many connections cost beside few, in turn, by CPU: rates drift on shared machines."""
    webs = {"few": scene.web, "many": scene.many}
    paths = {size: _pages(scene, web) for size, web in webs.items()}
    for _ in range(scene.rounds):
        for size, web in webs.items():
            scene.one(f"token of {size}", web, scene.asking(size), settle=FLUSH_SECONDS)
        for page in PAGES:
            for size, web in webs.items():
                asking = scene.asking(size, path=json.dumps(paths[size][page]))
                scene.one(f"{page} of {size}", web, asking, share=_PAGE_SHARE)
    unread = scene.middle("token of many").cpu_us
    return [
        *(row for what in ("token", *PAGES) for row in _rows(scene, what)),
        # Of so many, hardly one is asked for twice: what the broker remembers of a token's last reading is no help.
        Row("CPU a fresh token that was not read lately", f"{unread / 1000:.3f} ms"),
        Row(f"one scrape of /metrics with {_count(scene):,} connections", f"{_scrape(scene):.1f} s"),
    ]


def _rows(scene: Scene, what: str) -> list[Row]:
    few, many = scene.figures[f"{what} of few"], scene.figures[f"{what} of many"]
    ratio = table.middle_ratio(_costs(many), _costs(few))
    count = f"{_count(scene):,}"
    return [
        table.at_most(f"{what}: CPU with {count} connections, times that with few", ratio, ASKED_GROWTH),
        table.none_bad(f"{what} of few and of many", few + many),
    ]


def _costs(rounds: list[Figures]) -> list[float]:
    return [one.cpu_us for one in rounds]


def _count(scene: Scene) -> int:
    with (scene.folder / "many").open() as lines:
        return sum(1 for _ in lines)


def _pages(scene: Scene, web: Web) -> dict[str, str]:
    """The paths of the three pages. Raises SystemExit when one is not full: it would cost less for that."""
    first = f"/v1/connections?limit={PAGE}"
    with httpx2.Client(
        base_url=web.url, headers={"Authorization": f"Bearer {scene.key()}"}, trust_env=False, timeout=60
    ) as client:

        def fetch(path: str) -> dict[str, object]:
            answer = client.get(path).raise_for_status().json()
            if len(answer["items"]) != PAGE:
                raise SystemExit(f"{path} has {len(answer['items'])} connections, not {PAGE}")
            return answer  # type: ignore[no-any-return]

        ways = (first, _deep(fetch, first), f"{first}&tenant={TENANT}")
        for path in ways:
            fetch(path)
    return dict(zip(PAGES, ways, strict=True))


def _scrape(scene: Scene) -> float:
    """Seconds for the first look at the figures: the next eight seconds repeat it."""
    began = time.monotonic()
    with httpx2.Client(trust_env=False, timeout=60) as client:
        client.get(f"{scene.many.url}/metrics", headers={"Authorization": f"Bearer {scene.key()}"}).raise_for_status()
    return time.monotonic() - began


def _deep(fetch: Callable[[str], dict[str, object]], first: str) -> str:
    """The path of a page far down, as a caller gets there."""
    path = first
    for _ in range(DEEP - 1):
        path = f"{first}&cursor={quote(str(fetch(path)['next_cursor']))}"
    return path
