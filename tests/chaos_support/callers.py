"""Many callers meet one expired token, round after round: how many requests leave, and what each caller gets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import httpx2

CALLERS = 32
_BARRIER_SECONDS = 60


@dataclass(kw_only=True)
class Rounds:
    """What came of so many rounds. Units: seconds.

    Shape:  tokens holds one token a round, by the version it came with. wrong tells of each answer that no caller
            should get: neither the round's token nor a 503 that says when to come back.
    """

    count: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    tokens: dict[int, str] = field(default_factory=dict, repr=False)
    waits: list[float] = field(default_factory=list, repr=False)
    wrong: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """How long a caller waited, at this share of them: 0.5 for the median."""
        return sorted(self.waits)[min(int(share * len(self.waits)), len(self.waits) - 1)]

    def __str__(self) -> str:
        told = ", ".join(f"{number} x {status}" for status, number in sorted(self.answers.items()))
        waits = f"p50 {self.percentile(0.5):.2f} s, p99 {self.percentile(0.99):.2f} s"
        return f"{self.count} rounds of {CALLERS} callers: {told}; {waits}; {len(self.wrong)} wrong"


def run(count: int, *, ask: Callable[[], httpx2.Response], expire: Callable[[], None]) -> Rounds:
    """So many rounds: `expire` ends the stored token, then all callers `ask` at one moment."""
    found = Rounds()
    with ThreadPoolExecutor(max_workers=CALLERS) as callers:
        for _ in range(count):
            expire()
            barrier = Barrier(CALLERS)
            asked = [callers.submit(_timed, barrier, ask) for _ in range(CALLERS)]
            _note(found, [one.result() for one in asked])
    return found


def _timed(barrier: Barrier, ask: Callable[[], httpx2.Response]) -> tuple[httpx2.Response, float]:
    barrier.wait(timeout=_BARRIER_SECONDS)
    started = time.monotonic()
    return ask(), time.monotonic() - started


def _note(found: Rounds, answers: list[tuple[httpx2.Response, float]]) -> None:
    found.count += 1
    last = max(found.tokens, default=0)
    for answer, waited in answers:
        found.waits.append(waited)
        found.answers[answer.status_code] += 1
        if answer.status_code == 200:
            _note_token(found, answer.json(), last)
        elif answer.status_code != 503 or not answer.headers.get("Retry-After"):
            # The body of a refusal is a problem, which holds no secret.
            found.wrong.append(f"round {found.count}: {answer.status_code} {answer.text}")


def _note_token(found: Rounds, issued: dict[str, object], last: int) -> None:
    version, token = int(str(issued["version"])), str(issued["access_token"])
    if version <= last:
        found.wrong.append(f"round {found.count}: version {version} after {last}")
    elif found.tokens.setdefault(version, token) != token:
        found.wrong.append(f"round {found.count}: two tokens of version {version}")
