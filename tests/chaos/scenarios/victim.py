"""The same load and the same deaths for a naive renewer: the harness has to see it lose, or it could see nothing."""

import random
import sys
import time
from collections import defaultdict

import psycopg

from embedded.processes import Child
from tests.chaos import naive
from tests.chaos.double import Double
from tests.chaos.ground import Ground
from tests.chaos.scenarios.faults import wait
from tests.chaos.table import Row
from tests.fakes.broker import PROJECT
from tests.fakes.sandbox import CLIENT_ID, CLIENT_SECRET, plain_client

LIFE, LATENCY = 8, 0.05


def naive_renewer(ground: Ground, full: bool) -> Row:
    connections, deaths, pause = (250, 200, 0.4) if full else (100, 16, 0.2)
    database = ground.fresh_database()
    with Double(ground.processes, "--access-token-seconds", str(LIFE)) as sandbox:
        sandbox.set_latency(token=LATENCY)
        with psycopg.connect(database, autocommit=True) as connection:
            _seed(connection, sandbox.new_refresh_tokens(connections))
            _run(ground, sandbox, database, deaths, pause)
            requests = sandbox.token_requests()
            rows = connection.execute("SELECT refresh, blamed FROM naive").fetchall()
        lost = sum(not _accepted(sandbox, refresh) for refresh, _ in rows)
    return Row(
        test="naive read, post, write, grace 0 s",
        load=f"{len(requests):,} renewals",
        faults=f"{deaths} SIGKILL",
        lost=lost,
        doubled=_doubled(requests),
        blamed=sum(blamed for _, blamed in rows),
        note="it loses, as it must",
        wrong=[] if lost else ["the naive renewer lost nothing: this harness cannot see a loss"],
    )


def _seed(connection: psycopg.Connection, tokens: list[str]) -> None:
    connection.execute(naive.TABLE)
    with connection.cursor() as cursor:
        due = "INSERT INTO naive (refresh, due_at) VALUES (%s, now() + %s * interval '1 second')"
        cursor.executemany(due, [(token, random.uniform(0, 0.7 * LIFE)) for token in tokens])


def _run(ground: Ground, sandbox: Double, database: str, deaths: int, pause: float) -> None:
    """Two workers, one of which is killed now and then and started again at once."""
    words = [database, f"{sandbox.url}/connect/token", CLIENT_ID, CLIENT_SECRET, str(LIFE)]
    command = [sys.executable, "-m", "tests.chaos.naive", *words]

    def start() -> Child:
        return ground.processes.start("naive", command, folder=PROJECT)

    workers = [start(), start()]
    for number in range(deaths):
        wait(lambda: all(naive.READY in worker.output() for worker in workers), 60)
        time.sleep(pause)
        _kill(ground, workers[number % 2])
        workers[number % 2] = start()
    for worker in workers:
        _kill(ground, worker)


def _kill(ground: Ground, worker: Child) -> None:
    worker.process.kill()
    worker.process.wait()
    ground.processes.forget(worker)


def _doubled(requests: list[dict[str, object]]) -> int:
    """How many refresh tokens were sent more than once though they were answered the first time."""
    answered: dict[object, int] = defaultdict(int)
    for one in requests:
        answered[one["presented"]] += 1
    return sum(times > 1 for times in answered.values())


def _accepted(sandbox: Double, refresh: str) -> bool:
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    with plain_client() as http:
        form = {"grant_type": "refresh_token", "refresh_token": refresh, **client}
        return http.post(f"{sandbox.url}/connect/token", data=form).status_code == 200
