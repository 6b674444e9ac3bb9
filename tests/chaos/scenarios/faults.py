"""What goes wrong around the workers: deployments, dropped replies, a database that fails, a queue that forgets."""

import contextlib
import random
import time
from collections.abc import Callable
from itertools import cycle, islice

import psycopg
import redis

from tests.chaos import checker, judging, recorder, seed
from tests.chaos.checker import History
from tests.chaos.fleet import Fleet
from tests.chaos.ground import Ground
from tests.chaos.readers import Readers
from tests.chaos.scenarios.kills import start
from tests.chaos.site import Site
from tests.chaos.table import Row

LATE_SECONDS = 90.0


def rolling_deployments(ground: Ground, full: bool) -> Row:
    connections, times = (250, 50) if full else (100, 6)
    with Site(ground, "deployments", grace=0) as site:
        seed.connections(site, seed.registration(), seed.tenants(5), connections)
        fleet = start(site, web=0)
        statuses = [_redeploy(fleet, name) for name in islice(cycle(("one", "two")), times)]
        recorded, found = judging.judge(site, fleet)
    row = judging.row("rolling SIGTERM, grace 0 s", found, load=_renewals(recorded), faults=f"{len(statuses)} SIGTERM")
    row.wrong += [f"a worker ended with status {status}" for status in statuses if status != 0]
    return _at_least(row, recorded, connections)


def _redeploy(fleet: Fleet, name: str) -> int | None:
    (status,) = fleet.terminate(name)
    fleet.worker(name)
    fleet.wait_born()
    fleet.wait_ready()
    time.sleep(0.3)
    return status


def dropped_replies(ground: Ground, full: bool) -> Row:
    connections, renewals, share = (300, 5000, 0.05) if full else (100, 300, 0.05)
    with Site(ground, "drops", grace=5) as site:
        seed.connections(site, seed.registration(), seed.tenants(5), connections)
        fleet = start(site, web=0)
        site.sandbox.fault("token", "drop_after", times=None, probability=share)
        wait(lambda: _requests(site) >= renewals, 900)
        fired = site.sandbox.control("GET", "faults")["fired"]
        site.sandbox.clear_faults()
        recorded, found = judging.judge(site, fleet)
    row = judging.row(
        "dropped replies, grace 5 s", found, load=_renewals(recorded), faults=f"{fired} replies dropped after rotation"
    )
    row.wrong += [] if fired >= renewals * share / 3 else [f"only {fired} replies were dropped"]
    return row


def failing_database(ground: Ground, full: bool) -> Row:
    connections, failures, restarts = (200, 1000, 20) if full else (80, 40, 2)
    with Site(ground, "database", grace=0) as site:
        ids = seed.connections(site, seed.registration(), seed.tenants(5), connections)
        site.rows(recorder.FAILING_COMMITS)
        key, fleet = seed.caller_key(), start(site)
        with Readers(fleet.webs, key, ids, min_ttl=site.life - 3, pause=0.1) as readers:
            for number in range(restarts):
                _fail_commits(site, failures * (number + 1) // restarts)
                ground.servers.restart_postgres(crash=number % 2 == 1)
        failed = site.rows(recorder.FAILED_COMMITS)[0][0]
        recorded, found = judging.judge(site, fleet, served=readers.served, settle=120)
        escrow = [path.name for path in site.escrow.rglob("*") if path.is_file() and path.stat().st_size]
    faults = f"{failed:,} failed commits, {restarts} PostgreSQL restarts"
    row = judging.row("failing commits, grace 0 s", found, load=_renewals(recorded), faults=faults)
    row.wrong += [f"still in the escrow: {name}" for name in escrow]
    return _at_least(row, recorded, connections)


def _fail_commits(site: Site, until: int) -> None:
    """A third of all commits of credentials fail, until so many have."""
    site.rows("UPDATE chaos_dice SET probability = 0.33")
    wait(lambda: site.rows(recorder.FAILED_COMMITS)[0][0] >= until, 300)
    site.rows("UPDATE chaos_dice SET probability = 0")


def forgetful_queue(ground: Ground, full: bool) -> Row:
    connections, flushes, away = (250, 20, 120.0) if full else (80, 5, 4.0)
    with Site(ground, "queue", grace=0) as site:
        seed.connections(site, seed.registration(), seed.tenants(5), connections)
        fleet, began = start(site, web=0), time.time()
        for _ in range(flushes):
            _flush(ground)
            time.sleep(random.uniform(0.3, 1.0))
        ground.servers.stop_valkey()
        time.sleep(away)
        ground.servers.start_valkey()
        recorded, found = judging.judge(site, fleet)
    late = checker.latest(recorded, since=began)
    row = judging.row(
        "queue flushed and away, grace 0 s",
        found,
        load=_renewals(recorded),
        faults=f"{flushes} FLUSHALL, away for {away:.0f} s",
        note=f"at most {late:.1f} s late",
    )
    row.wrong += [f"a renewal was {late:.0f} s late"] if late > LATE_SECONDS else []
    return _at_least(row, recorded, connections)


def _flush(ground: Ground) -> None:
    with redis.Redis.from_url(ground.servers.redis_url) as client:
        client.flushall()


def _requests(site: Site) -> int:
    return len(site.rows("SELECT 1 FROM chaos_version WHERE version > 1"))


def _renewals(recorded: History) -> str:
    return f"{len(recorded.requests):,} renewals"


def _at_least(row: Row, recorded: History, count: int) -> Row:
    row.wrong += [] if len(recorded.requests) >= count else [f"only {len(recorded.requests)} renewals: no load"]
    return row


def wait(true: Callable[[], bool], seconds: float) -> None:
    """Return when it is true, or when the time is over: what is missing then is found in the end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            if true():
                return
        time.sleep(0.1)
