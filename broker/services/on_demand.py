"""Work that callers wait for, in threads of its own.

So nobody waits longer than they have, and what has left for a provider is finished and stored even when whoever asked
is gone. A process that is told to stop ends only when this work is done.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from django.db import connection as database
from django.db import connections

_T = TypeVar("_T")


class _Running:
    """What is being done in this process, by its key."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="on-demand")
        self._most_of_one_lane = max(threads - 1, 1)
        self._lock = threading.Lock()
        self._futures: dict[Hashable, Future[Any]] = {}
        self._lanes: Counter[Hashable] = Counter()

    def future(self, key: Hashable, lane: Hashable, work: Callable[[], _T]) -> Future[_T] | None:
        with self._lock:
            if key not in self._futures:
                if self._lanes[lane] >= self._most_of_one_lane:
                    return None
                self._lanes[lane] += 1
                self._futures[key] = self._pool.submit(self._run, key, lane, work)
            return self._futures[key]

    def _run(self, key: Hashable, lane: Hashable, work: Callable[[], _T]) -> _T:
        try:
            return work()
        finally:
            with self._lock:
                del self._futures[key]
                self._lanes -= Counter({lane: 1})
            connections.close_all()


@cache
def _running() -> _Running:
    # Each holds its database connection while the provider takes its time, so that what comes back is stored at once;
    # the other half of the connections is for those who ask.
    connections_at_most: int = database.settings_dict["OPTIONS"]["pool"]["max_size"]
    return _Running(max(connections_at_most // 2 - 1, 2))


# A forked child has the parent's pool and none of its threads.
os.register_at_fork(after_in_child=_running.cache_clear)


def within(seconds: float, key: Hashable, work: Callable[[], _T], *, lane: Hashable) -> _T | None:
    """Return what the work came to; None when it takes longer, and then it goes on by itself.

    Callers of one process that give the same key at the same time share one piece of work. One lane never takes all
    threads: None at once, and nothing done, while it has as many as it may.
    Raises: what the work raises. Effects: the caller's database connection is given back meanwhile.
    """
    future = _running().future(key, lane, work)
    if future is None:
        return None
    if not database.in_atomic_block:
        database.close()
    try:
        return future.result(timeout=max(seconds, 0.0))
    except TimeoutError:
        if future.done():
            # It is the work that raised it.
            raise
        return None
