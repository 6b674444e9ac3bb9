"""Whether the time of a refusal says why: printed for people, because clocks on a shared machine prove nothing.

What is the same by construction, queries and opened seals, is asserted by tests/broker/api/test_what_refusals_cost.py.
"""

import http.client
import itertools
import random
import time
import uuid
from collections.abc import Callable
from statistics import median, quantiles
from urllib.parse import urlsplit

from tests.fuzz.ground import Ground
from tests.journeys.authority import spoiled

SAMPLES = 300
# Unknown keys have a budget of twenty a second; beyond it they are answered without a look.
PAUSE_SECONDS = 0.06
Ask = Callable[[], float]


def compared(ground: Ground, samples: int = SAMPLES) -> str:
    """Return a table: pairs of refusals that must not be told apart, with their times. Effects: requests."""
    good, foreign = ground.keys["aalto"], ground.keys["birch"]
    there, absent = ground.values["connection_id"], str(uuid.uuid4())
    pairs = {
        ("unknown key", "known key, wrong secret"): ((spoiled(good, 2), there), (spoiled(good, 3), there)),
        ("revoked key", "unknown key"): ((ground.keys["revoked"], there), (spoiled(good, 2), there)),
        ("another's connection", "no connection"): ((foreign, there), (foreign, absent)),
    }
    lines = ["median and p90 in ms; |z| above 3 is a difference that chance does not explain"]
    for names, asked in pairs.items():
        pause = PAUSE_SECONDS if "key" in names[0] else 0.0
        lines.append(_line(names, _times(ground, asked, samples, pause)))
    return "\n".join(lines)


def _times(ground: Ground, pair: tuple[tuple[str, str], ...], samples: int, pause: float) -> list[list[float]]:
    """Ask in random turns over one connection; the first are left out."""
    found: list[list[float]] = [[], []]
    client = http.client.HTTPConnection(urlsplit(ground.broker.url).netloc, timeout=10)
    order = random.Random(1).sample([0, 1] * samples, 2 * samples)
    for which in itertools.chain([0, 1] * 5, order):
        key, connection = pair[which]
        began = time.perf_counter()
        client.request("GET", f"/v1/connections/{connection}/token", headers={"Authorization": f"Bearer {key}"})
        answer = client.getresponse()
        answer.read()
        found[which].append(1000 * (time.perf_counter() - began))
        assert answer.status in (401, 404), answer.status
        time.sleep(pause)
    client.close()
    return [times[5:] for times in found]


def _line(names: tuple[str, str], times: list[list[float]]) -> str:
    shown = [
        f"{name} {median(each):.2f} {quantiles(each, n=10)[-1]:.2f}" for name, each in zip(names, times, strict=True)
    ]
    return f"{' | '.join(shown)} | z {rank_sum(*times):+.1f}"


def rank_sum(first: list[float], second: list[float]) -> float:
    """Return by how many standard deviations the ranks of two samples differ (Mann-Whitney; ties are rare here)."""
    ordered = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks = sum(rank for rank, (_, which) in enumerate(ordered, start=1) if which == 0)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    return float((u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5)
