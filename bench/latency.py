"""How long a caller waits at half of what the server could do: alone, and while a worker renews beside it."""

import time
from dataclasses import replace

import psycopg

from bench import open_loop, table
from bench.open_loop import Latency
from bench.scene import Scene
from bench.table import Row
from embedded.processes import Child

ASKED_P99_MS, ASKED_TIMES, RENEWALS = 20.0, 2.0, 100
_SHARE = 0.5
# Where a round begins and ends between two looks cuts off some.
_RENEWED_SHARE = 0.9
_START_SECONDS, _WARM = 60.0, 300
# A worker looks for what is due every five seconds, and then renews all of it. So renewals have to be on their way when
# a round begins, and a round holds two such moments: it would say nothing about renewals between them.
_SWEEP_SECONDS = 5.0
_BESIDE_SECONDS = 2 * _SWEEP_SECONDS
# One after the other, as connections that were made at any time come due.
_COME_DUE = """
    UPDATE tenants_renewalslot s
    SET state = 'scheduled', due_at = now() + picked.number / %(rate)s * interval '1 second' FROM (
        SELECT connection_id, row_number() OVER ()::float8 AS number FROM tenants_renewalslot
        JOIN tenants_connection co ON co.id = connection_id
        WHERE co.provider_id = 'bench' AND intent = '' LIMIT %(count)s
    ) picked WHERE s.connection_id = picked.connection_id
"""
_RENEWED = "SELECT count(*) FROM tenants_credential WHERE issued_at BETWEEN to_timestamp(%s) AND to_timestamp(%s)"
_DUE = "SELECT count(*) FROM tenants_renewalslot WHERE state = 'scheduled' AND due_at < now() + interval '1 minute'"


class Renewing:
    """A worker beside the web server, and connections that come due for it. Its database connection is its own."""

    def __init__(self, scene: Scene, url: str) -> None:
        self._scene = scene
        self._link = psycopg.connect(url, autocommit=True)

    def start(self) -> None:
        """Return once the worker has renewed some: code and caches are warm then."""
        self.workers: list[Child] = self._scene.stack.start_workers(1)
        self.due(_WARM, rate=_WARM)
        self.wait()

    def due(self, count: int, rate: float = RENEWALS) -> None:
        """Have so many connections come due from now on, at so many a second."""
        self._link.execute(_COME_DUE, {"count": count, "rate": rate})

    def wait(self) -> None:
        """Return when nothing is due any more. Raises SystemExit when the worker does not get on."""
        left, since = self._count(_DUE), time.monotonic()
        while left:
            if time.monotonic() > since + _START_SECONDS:
                raise SystemExit(f"nothing is renewed: {self.workers[0].output()[-2000:]}")
            time.sleep(0.2)
            before, left = left, self._count(_DUE)
            since = time.monotonic() if left < before else since

    def renewed(self, start: float, end: float) -> int:
        """How many were renewed between two moments of this machine's clock."""
        return self._count(_RENEWED, start, end)

    def end(self) -> None:
        self._scene.stack.end(self.workers)
        self._link.close()

    def _count(self, query: str, *given: float) -> int:
        row = self._link.execute(query, given).fetchone()
        assert row is not None
        return int(row[0])


def latency(scene: Scene, url: str) -> list[Row]:
    """Rounds at half of the saturated rate, alone and beside renewals in turn."""
    rate = scene.saturated() * _SHARE
    renewing = Renewing(scene, url)
    renewing.start()
    alone, beside, renewed = [], [], []
    print(
        f"{rate:,.0f} fresh tokens a second, whoever is slow; a worker renews {RENEWALS} a second in every other round"
    )
    for number in range(scene.rounds):
        alone.append(_round(scene, "alone", rate, number, 2 * scene.seconds))
        renewing.due(int(RENEWALS * (_SWEEP_SECONDS + _BESIDE_SECONDS)))
        time.sleep(_SWEEP_SECONDS)
        start = time.time()
        beside.append(_round(scene, "beside renewals", rate, number, _BESIDE_SECONDS))
        renewed.append(renewing.renewed(start, time.time()) / (time.time() - start))
        renewing.wait()
    renewing.end()
    return _rows(alone, beside, renewed)


def _round(scene: Scene, what: str, rate: float, seed: int, seconds: float) -> Latency:
    found = open_loop.measure(scene.web.port, scene.folder, rate=rate, seconds=seconds, seed=seed)
    print(
        f"{what:>24} {found.rate:>9,.0f} a second  p50 {found.p50:>6.2f} ms  p99 {found.p99:>6.2f} ms  "
        f"longest {found.longest:>7.2f} ms  generator's own p99 {found.late:>5.2f} ms  bad {found.bad}",
        flush=True,
    )
    scene.sizes.append((time.monotonic(), scene.web.worker_mb()))
    return found


def _rows(alone: list[Latency], beside: list[Latency], renewed: list[float]) -> list[Row]:
    quiet, busy = _middle(alone), _middle(beside)
    times = table.middle_ratio([one.p99 for one in beside], [one.p99 for one in alone])
    return [
        Row("half of the saturated rate", f"{quiet.rate:,.0f} a second"),
        Row("p50 at that rate", f"{quiet.p50:.2f} ms"),
        table.under("p99 at that rate", quiet.p99, ASKED_P99_MS, " ms"),
        Row("the longest of all", f"{max(one.longest for one in alone):.0f} ms"),
        table.at_least("renewals a second beside", sum(renewed) / len(renewed), RENEWALS * _RENEWED_SHARE, digits=0),
        Row("p99 beside renewals", f"{busy.p99:.2f} ms"),
        table.at_most("p99 beside renewals, times that without", times, ASKED_TIMES),
        Row("requests that failed at that rate", f"{quiet.bad + busy.bad}", "0", not quiet.bad + busy.bad),
    ]


def _middle(rounds: list[Latency]) -> Latency:
    ordered = sorted(rounds, key=lambda one: one.p99)
    return replace(ordered[len(ordered) // 2], bad=sum(one.bad for one in rounds))
