"""The one table that a run prints."""

from dataclasses import dataclass, field

TITLES = ("test", "load", "faults", "lost", "doubled", "falsely blamed", "verdict")
# Beyond so many, more examples of one failure tell nothing new.
EXAMPLES = 5


@dataclass(kw_only=True)
class Row:
    """What one test showed. It failed when something is wrong, and was not run when it says why not.

    Shape:  lost, doubled and blamed are counts, or None where the test has nothing of the kind. note goes behind `ok`.
    """

    test: str
    load: str = ""
    faults: str = ""
    lost: int | None = None
    doubled: int | None = None
    blamed: int | None = None
    note: str = ""
    wrong: list[str] = field(default_factory=list)
    not_run: str = ""

    @property
    def verdict(self) -> str:
        if self.not_run:
            return f"not run: {self.not_run}"
        return "FAILED" if self.wrong else ", ".join(filter(None, ("ok", self.note)))

    def cells(self) -> tuple[str, ...]:
        counts = ("-" if one is None else f"{one:,}" for one in (self.lost, self.doubled, self.blamed))
        return (self.test, self.load, self.faults, *counts, self.verdict)


def printed(rows: list[Row]) -> str:
    """Return the table, and below it what is wrong, with a few examples each."""
    lines = [TITLES, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(TITLES))]
    right = {3, 4, 5}
    text = [
        "  ".join(
            f"{cell:>{width}}" if n in right else f"{cell:<{width}}"
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*text, *(line for row in rows for line in _details(row))])


def _details(row: Row) -> list[str]:
    if not row.wrong:
        return []
    more = [f"  ... and {len(row.wrong) - EXAMPLES:,} more"] if len(row.wrong) > EXAMPLES else []
    return [f"\n{row.test}: {len(row.wrong):,} findings", *(f"  {one}" for one in row.wrong[:EXAMPLES]), *more]
