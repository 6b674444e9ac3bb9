"""What a run found, to be read by people."""

from tests.fuzz.run import Report

HEAD = ("operation", "requests", "2xx", "4xx", "5xx", "findings")


def table(report: Report) -> str:
    """Return one line for each operation."""
    rows = [HEAD]
    for label, counts in sorted(report.answers.items()):
        of = [sum(number for status, number in counts.items() if status // 100 == kind) for kind in (2, 4, 5)]
        rows.append((label, str(counts.total()), *map(str, of), str(len(report.wrong.get(label, {})))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def findings(report: Report) -> list[str]:
    """Return each kind of fault once for each operation, with a request that shows it."""
    wrong = [
        f"{label}: {check}\n{text}" for label, found in sorted(report.wrong.items()) for check, text in found.items()
    ]
    return [*wrong, *report.errors]
