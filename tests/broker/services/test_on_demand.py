"""Work that callers wait for: shared, bounded, and done even when nobody waits any more."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.services import on_demand

THREADS = 4


@pytest.fixture
def running(monkeypatch) -> Iterator[on_demand._Running]:
    found = on_demand._Running(THREADS)
    monkeypatch.setattr(on_demand, "_running", lambda: found)
    yield found
    found._pool.shutdown()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the work waits for; open in the end, so that no thread is left behind."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.usefixtures("running")
class TestOnDemand:
    def test_callers_of_one_key_share_one_piece_of_work(self, gate):
        done: list[int] = []

        def work() -> str:
            gate.wait(10)
            done.append(1)
            return "result"

        with ThreadPoolExecutor(8) as callers:
            asked = [callers.submit(on_demand.within, 10, "key", work, lane="a") for _ in range(8)]
            threading.Timer(0.2, gate.set).start()
            assert {one.result() for one in asked} == {"result"}
        assert done == [1]
        assert on_demand.within(10, "key", work, lane="a") == "result"
        assert done == [1, 1], "the next one begins anew"

    def test_it_goes_on_when_the_time_is_over(self, gate):
        over = threading.Event()
        start = time.monotonic()
        assert on_demand.within(0.1, "key", lambda: gate.wait(10) and over.set(), lane="a") is None
        assert time.monotonic() - start < 5
        gate.set()
        assert over.wait(5)

    def test_one_lane_leaves_a_thread_to_the_others(self, gate):
        for number in range(THREADS - 1):
            assert on_demand.within(0, number, lambda: gate.wait(10), lane="hangs") is None
        begun: list[str] = []
        assert on_demand.within(5, "one more", lambda: begun.append("hangs") or "done", lane="hangs") is None
        assert on_demand.within(5, "other", lambda: "done", lane="works") == "done"
        gate.set()
        assert begun == []
        assert on_demand.within(5, 0, lambda: "done", lane="hangs") is not None

    @pytest.mark.parametrize("kind", [ValueError, TimeoutError])
    def test_what_the_work_raises_is_raised(self, kind):
        def work() -> None:
            raise kind("the work's own")

        with pytest.raises(kind, match="the work's own"):
            on_demand.within(5, "key", work, lane="a")
        assert on_demand.within(5, "key", lambda: "again", lane="a") == "again"
