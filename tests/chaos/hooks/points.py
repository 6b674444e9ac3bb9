"""The named points of a renewal at which a process can be made to die.

Each is before or after one function of the engine, or some time into it. The functions are wrapped when their module
is imported; a name that no longer exists is an error, or the point would silently never be reached.
"""

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

CLAIMS, SLOTS, PAIRS = "tenants.querysets.fair_claims", "tenants.querysets.slots", "tenants.querysets.pairs"
STEPS = "broker.services.renewal_steps"
# By module and function: the point before it and the one after it.
AROUND: dict[str, dict[str, tuple[str, str]]] = {
    CLAIMS: {"claim_window": ("before the claim", "after the claim")},
    SLOTS: {"mark_sending_many": ("before the intent", "after the intent")},
    PAIRS: {"commit": ("before the commit", "after the commit")},
    STEPS: {
        "prepare": ("before preparing", "after preparing"),
        "send": ("before the request", "after the reply"),
        "conclude": ("before concluding", "after concluding"),
    },
}
# By module and function: a point so many parts of the provider's time into it.
DURING: dict[str, dict[str, tuple[tuple[str, float], ...]]] = {
    STEPS: {"send": (("the request is written", 0.5), ("the provider decides", 1.0))},
    PAIRS: {"commit": (("in the commit", 0.0),)},
}
NAMES = tuple(point for functions in AROUND.values() for pair in functions.values() for point in pair) + tuple(
    point for functions in DURING.values() for delayed in functions.values() for point, _ in delayed
)
# A statement takes about a millisecond: half of it is in the middle.
HALF_A_STATEMENT = 0.0005


class Deaths:
    """Who passes an armed point takes its file away, writes down that it dies, and dies."""

    def __init__(self, armed: str, kills: str, latency: float) -> None:
        self._armed, self._kills, self._latency = armed, kills, latency

    def at(self, point: str) -> None:
        if self._taken(point):
            self._die(point)

    def soon(self, point: str, part: float) -> None:
        if self._taken(point):
            threading.Timer(part * self._latency or HALF_A_STATEMENT, self._die, (point,)).start()

    def _taken(self, point: str) -> bool:
        try:
            os.unlink(os.path.join(self._armed, point))
        except FileNotFoundError:
            return False
        return True

    def _die(self, point: str) -> None:
        with open(self._kills, "ab", buffering=0) as log:
            log.write(f"{time.time()}\t{os.getpid()}\t{point}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def install(armed: str, kills: str, latency: float) -> None:
    """From now on every module of AROUND is wrapped as it is imported."""
    sys.meta_path.insert(0, _Finder(Deaths(armed, kills, latency)))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, deaths: Deaths) -> None:
        self._deaths = deaths

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in AROUND:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            _wrap(module, self._deaths)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def _wrap(module: ModuleType, deaths: Deaths) -> None:
    delayed = DURING.get(module.__name__, {})
    for name, (before, after) in AROUND[module.__name__].items():
        setattr(module, name, _wrapped(getattr(module, name), deaths, before, after, delayed.get(name, ())))


def _wrapped(
    function: Callable[..., Any], deaths: Deaths, before: str, after: str, delayed: tuple[tuple[str, float], ...]
) -> Callable[..., Any]:
    @functools.wraps(function)
    def passing(*given: Any, **named: Any) -> Any:
        # A claim that finds nothing, or a step that is handed nothing, is no moment worth dying in.
        if not (given and given[0] == []):
            deaths.at(before)
            for point, part in delayed:
                deaths.soon(point, part)
        result = function(*given, **named)
        if _something(result):
            deaths.at(after)
        return result

    return passing


def _something(result: Any) -> bool:
    return getattr(result, "claims", result) not in ([], ([], []), {}, set(), None)
