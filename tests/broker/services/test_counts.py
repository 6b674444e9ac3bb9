"""Reads are counted in memory and written as sums: who, what, from where, when; each once, whatever happens."""

import os
import socket
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from django.db import connection as database
from django.db.models.functions import Now

from broker import errors
from broker.services import callers, counts, credentials, issue
from broker.services.callers import PresentedKey
from broker.services.counts import ReadCounter
from tenants.models import Connection, Credential, IssueCount
from tenants.querysets import hand_out
from tenants.querysets.hand_out import HandOut, Named
from tenants.querysets.rows import database_now
from tests.broker import hand_made
from tests.fakes.broker import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
KEY = PresentedKey("abcdefghijkl", b"", "10.0.0.7")
OTHER_KEY = PresentedKey("mnopqrstuvwx", b"", "10.0.0.7")
MARK = b"f" * 16
ELSEWHERE = PresentedKey("abcdefghijkl", b"", "2001:db8::1")


def mark() -> bytes:
    return MARK


def part(row: HandOut) -> SimpleNamespace:
    """A row's read as a part of a batch."""
    return SimpleNamespace(
        connection_id=row.connection_id, tenant_id=row.tenant_id, version=row.version, fingerprint=MARK
    )


def quiet(**more: int) -> ReadCounter:
    """A counter that writes when it is told to, and by itself not within a test."""
    return ReadCounter(3600, **more)


@pytest.fixture
def row(settled) -> HandOut:
    return row_of(settled, hand_made.netvisor(settled.aalto))


def row_of(settled, connection: Connection) -> HandOut:
    found = hand_out.for_token(callers.parse(f"Bearer {settled.aalto_key}").key_id, Named(connection.id))
    assert found is not None
    return found


def versions_of(row: HandOut, count: int) -> list[HandOut]:
    return [row._replace(version=version) for version in range(1, count + 1)]


def cpu_of(work: Callable[[], None], times: int) -> float:
    """Return the seconds that this thread computes for one call: other work on the machine does not count."""
    return min(timeit.repeat(work, number=times, repeat=5, timer=time.thread_time)) / times


def reads() -> dict[tuple[str, str, int], int]:
    return {(row.key_id, row.source, row.version): row.reads for row in IssueCount.objects.all()}


def run(sql: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def away() -> Iterator[Callable[[], None]]:
    """The table is away, as it would be in a database that takes no writes; called, it is back."""
    run("ALTER TABLE tenants_issuecount RENAME TO away")
    state = {"away": True}

    def back() -> None:
        if state.pop("away", None):
            run("ALTER TABLE away RENAME TO tenants_issuecount")

    yield back
    back()


class TestWhatIsCounted:
    def test_one_sum_for_each_key_source_and_version(self, row):
        counter = quiet()
        for presented in (KEY, KEY, KEY, OTHER_KEY, ELSEWHERE):
            counter.add(presented, row, mark)
        counter.add_many(KEY, row.caller_id, [part(row), part(row), part(row._replace(version=9))])
        assert not IssueCount.objects.exists(), "nothing is written on the path"
        counter.flush()
        counter.flush()
        assert reads() == {
            (KEY.key_id, KEY.source, row.version): 5,
            (KEY.key_id, KEY.source, 9): 1,
            (OTHER_KEY.key_id, OTHER_KEY.source, row.version): 1,
            (ELSEWHERE.key_id, ELSEWHERE.source, row.version): 1,
        }

    def test_a_later_flush_adds_and_keeps_when_it_began(self, row):
        counter = quiet()
        counter.add(KEY, row, mark)
        counter.flush()
        first = IssueCount.objects.get()
        counter.add(KEY, row, mark)
        counter.flush()
        second = IssueCount.objects.get()
        assert (second.reads, second.first_at) == (2, first.first_at)
        assert second.last_at > first.last_at

    def test_the_times_are_those_of_the_reads_and_the_hour_that_of_the_writing(self, row):
        counter = quiet()
        counter.add(KEY, row, mark)
        time.sleep(0.3)
        counter.add(KEY, row, mark)
        read_at = database_now()
        time.sleep(0.3)
        counter.flush()
        written = IssueCount.objects.get()
        assert abs(written.last_at - read_at) < timedelta(seconds=0.2)
        assert timedelta(seconds=0.25) < written.last_at - written.first_at < timedelta(seconds=0.6)
        now = database_now()
        assert written.hour == now.replace(minute=0, second=0, microsecond=0)

    def test_what_was_counted_in_an_hour_that_is_over_goes_into_the_one_that_is_open(self, row):
        """So that the rows of a day do not change any more once it is closed."""
        counter = quiet()
        counter.add(KEY, row, mark)
        counter.flush()
        IssueCount.objects.update(hour=Now() - timedelta(hours=30))
        counter.add(KEY, row, mark)
        counter.flush()
        old, new = IssueCount.objects.order_by("hour")
        assert (old.reads, new.reads) == (1, 1)

    def test_a_call_takes_no_time(self, row):
        counter = quiet()
        counter.add(KEY, row, mark)
        once = cpu_of(lambda: counter.add(KEY, row, mark), 10_000)
        # Around 0.8 us; a lock that is waited for, a hash of a UUID or a query would show at once.
        assert once < 3e-6
        many = [part(row)] * 100
        assert cpu_of(lambda: counter.add_many(KEY, row.caller_id, many), 100) / 100 < 1e-6
        counter.flush()


class TestFingerprints:
    def test_it_is_that_of_the_token_under_the_tenants_own_key(self, settled, connect):
        connection = connect()
        read(settled, connection)
        stored = Credential.objects.select_related("data_key").get(pk=connection.id)
        token = credentials.open_current(stored, connection.tenant_id).access_token
        assert bytes(IssueCount.objects.get().fingerprint) == credentials.fingerprint(stored.data_key, token)

    def test_two_tokens_have_two_and_one_has_one(self, settled, connect):
        first, second = connect(), connect(username="ben@books.example")
        for connection, source in ((first, "10.0.0.7"), (first, "10.0.0.8"), (second, "10.0.0.7")):
            read(settled, connection, source)
        found = [bytes(row.fingerprint) for row in IssueCount.objects.order_by("connection_id")]
        assert len(found) == 3
        assert len(set(found)) == 2

    def test_it_is_made_once_for_each_sum(self, row):
        made = []
        counter = quiet()
        for source in (KEY, KEY, ELSEWHERE):
            counter.add(source, row, lambda: (made.append(1), b"f" * 16)[1])
        assert len(made) == 2


def read(settled, connection: Connection, source: str = "10.0.0.7") -> None:
    """Read a token as a caller does, and write that down."""
    presented = callers.parse(f"Bearer {settled.aalto_key}", source)
    issue.issue_access_token(presented, partial(hand_out.for_token, named=Named(connection.id)))
    counts.reads.flush()


class TestWhenTheDatabaseTakesNoWrites:
    def test_nothing_is_lost_and_nothing_doubled(self, row, away):
        counter = quiet()
        counter.add(KEY, row, mark)
        counter.flush()
        counter.add(KEY, row, mark)
        counter.add(OTHER_KEY, row, mark)
        counter.flush()
        away()
        assert reads() == {}
        counter.flush()
        counter.flush()
        assert {key_id: count for (key_id, _, _), count in reads().items()} == {KEY.key_id: 2, OTHER_KEY.key_id: 1}
        assert None not in {row.fingerprint for row in IssueCount.objects.all()}

    def test_what_cannot_be_written_down_is_not_handed_out_once_memory_is_full(self, row, away):
        counter = quiet(full=2, most=3)
        for one in versions_of(row, 3):
            counter.add(KEY, one, mark)
        with pytest.raises(errors.StorageFault):
            counter.add(KEY, row._replace(version=4), mark)
        with pytest.raises(errors.StorageFault):
            counter.add_many(KEY, row.caller_id, [part(row._replace(version=4))])
        counter.add(KEY, row._replace(version=3), mark)
        away()
        counter.flush()
        counter.add(KEY, row._replace(version=4), mark)
        counter.flush()
        assert {version: count for (_, _, version), count in reads().items()} == {1: 1, 2: 1, 3: 2, 4: 1}

    def test_a_full_memory_is_written_without_waiting(self, row):
        counter = quiet(full=3)
        for one in versions_of(row, 4):
            counter.add(KEY, one, mark)
        wait_until(lambda: len(reads()) == 4, "the sums to be written", 10)


class _Flush(threading.Thread):
    """A flush on a session of its own that a test can find."""

    def __init__(self, counter: ReadCounter) -> None:
        super().__init__()
        self._counter = counter
        self._found = threading.Event()

    def run(self) -> None:
        database.ensure_connection()
        self._session = database.connection.info.backend_pid, database.connection.fileno()
        self._found.set()
        self._counter.flush()
        database.close()

    def committing(self) -> tuple[int, int]:
        """Return (process id at the server, our socket) once the COMMIT is at work."""
        self.start()
        self._found.wait(10)
        process, handle = self._session
        asked = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"

        def sleeps() -> bool:
            with database.cursor() as cursor:
                cursor.execute(asked, [process])
                return cursor.fetchone() is not None

        wait_until(sleeps, "the COMMIT to be at work", 10)
        return process, handle


@pytest.fixture
def slow_commit(transactional_db: None) -> Iterator[None]:
    """A COMMIT takes a second: long enough for its session to be ended meanwhile."""
    run(
        "CREATE FUNCTION take_a_second() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON tenants_issuecount DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION take_a_second()"
    )
    yield
    run("DROP FUNCTION take_a_second() CASCADE")


class TestWhenTheAnswerToACommitIsLost:
    @pytest.mark.parametrize("end", ["our connection breaks", "the session is ended"])
    def test_the_database_is_asked_what_became_of_it(self, row, slow_commit, end):
        counter = quiet()
        counter.add(KEY, row, mark)
        counter.add(KEY, row, mark)
        flush = _Flush(counter)
        process, handle = flush.committing()
        if end == "our connection breaks":
            # The server notices only when it answers: it has committed by then.
            with socket.socket(fileno=os.dup(handle)) as ours:
                ours.shutdown(socket.SHUT_RDWR)
        else:
            run(f"SELECT pg_terminate_backend({process})")
        flush.join(10)
        counter.add(KEY, row, mark)
        wait_until(lambda: _settled(counter), "the database to know", 10)
        assert reads() == {(KEY.key_id, KEY.source, row.version): 3}


def _settled(counter: ReadCounter) -> bool:
    counter.flush()
    return sum(reads().values()) >= 3
