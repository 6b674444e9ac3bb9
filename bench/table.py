"""The table at the end of a run: what was measured, what was found, what was asked, and whether it is met."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.load import Figures

ROUND_HEADER = (
    f"{'what':>24} {'req/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'web':>7} {'PostgreSQL':>11} {'bad':>5}"
)


@dataclass(frozen=True)
class Row:
    """One line. Shape: met is None where nothing was asked for."""

    what: str
    figure: str
    asked: str = ""
    met: bool | None = None


def at_most(what: str, figure: float, limit: float, unit: str = "", digits: int = 2) -> Row:
    return Row(what, f"{figure:,.{digits}f}{unit}", f"at most {limit:,g}{unit}", figure <= limit)


def under(what: str, figure: float, limit: float, unit: str = "", digits: int = 2) -> Row:
    return Row(what, f"{figure:,.{digits}f}{unit}", f"under {limit:,g}{unit}", figure < limit)


def at_least(what: str, figure: float, limit: float, unit: str = "", digits: int = 2) -> Row:
    return Row(what, f"{figure:,.{digits}f}{unit}", f"at least {limit:,g}{unit}", figure >= limit)


def none_bad(what: str, rounds: Iterable[Figures]) -> Row:
    """Whether every request was answered as it should: else the figures are of something else."""
    bad = sum(one.bad for one in rounds)
    return Row(f"{what}: requests that failed", f"{bad}", "0", not bad)


def show_round(what: str, figures: Figures) -> None:
    """Print one line of figures while the run goes on."""
    print(
        f"{what:>24} {figures.rps:>9,.0f} {figures.p50:>8.2f} {figures.p99:>8.2f} {figures.cpu_us:>8.0f} "
        f"{figures.web_us:>7.0f} {figures.postgres_us:>11.0f} {figures.bad:>5}",
        flush=True,
    )


def show(rows: Sequence[Row]) -> bool:
    """Print the table. True when nothing is missed."""
    wide = max(len(row.what) for row in rows)
    print(f"\n{'what':<{wide}}  {'figure':>16}  {'asked':>16}")
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        print(f"{row.what:<{wide}}  {row.figure:>16}  {row.asked:>16}  {verdict}".rstrip(), flush=True)
    return not any(row.met is False for row in rows)


def middle_ratio(upper: Sequence[float], lower: Sequence[float]) -> float:
    """The median of what each round's pair gives: both of a pair met the same disturbances."""
    return statistics.median(one / other for one, other in zip(upper, lower, strict=True))


def slope(sizes: Sequence[tuple[float, float]]) -> float:
    """Growth a minute, by least squares over the later half: the first fills caches and pools.

    Shape: (seconds, size) in order of time.
    """
    later = sizes[len(sizes) // 2 :]
    times, values = [at for at, _ in later], [size for _, size in later]
    middle, mean = statistics.fmean(times), statistics.fmean(values)
    spread = sum((at - middle) ** 2 for at in times)
    return 60 * sum((at - middle) * (size - mean) for at, size in later) / spread if spread else 0.0
