"""manage.py import_connections FILE [--dry-run]"""

import io
import os
import stat
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError

from broker.management.base import JsonCommand
from broker.services import import_lines, importing

_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Command(JsonCommand):
    help = (
        "Bring in connections from a file of JSON lines. Each is proven at its provider, without using up a refresh "
        "token, and stored whole or not at all; lines that are there already are left as they are."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="a path, or - for stdin")
        parser.add_argument("--dry-run", action="store_true", help="prove every line and store nothing")

    def act(self, **options: Any) -> dict[str, Any]:
        warnings = _warnings(options["file"])
        for warning in warnings:
            self.stderr.write(warning)
        found = []
        with _opened(options["file"]) as stream:
            for number, text in _lines(stream):
                result = importing.import_line(number, text, dry_run=options["dry_run"], actor=self.actor).as_json()
                found.append(result)
                if not options["json"]:
                    # At once: an import may take hours, and one that is interrupted must have told what it did.
                    self.stdout.write(_sentence(result))
        return {"lines": found, "summary": dict(Counter(each["verdict"] for each in found)), "warnings": warnings}

    def shortcoming(self, result: dict[str, Any]) -> str:
        refused, all_of_them = result["summary"].get(importing.REFUSED, 0), len(result["lines"])
        return f"{refused} of {all_of_them} lines were not imported" if refused else ""

    def _print(self, result: dict[str, Any], *, as_json: bool) -> None:
        summary = result["summary"]
        super()._print(
            result if as_json else {verdict: summary[verdict] for verdict in sorted(summary)}, as_json=as_json
        )


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield io.BytesIO(sys.stdin.read().encode("utf-8", "surrogateescape"))
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  closed below, apart from errors of reading
    except OSError as error:
        raise CommandError(f"the file cannot be read: {type(error).__name__}") from None
    with stream:
        yield stream


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Number and text of every line that is not empty; of one that is too long, enough to see that it is."""
    number = 0
    while text := stream.readline(import_lines.MAXIMUM_BYTES + 1):
        number += 1
        rest = text
        while len(rest) > import_lines.MAXIMUM_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(import_lines.MAXIMUM_BYTES + 1)
        if text.strip():
            yield number, text


def _warnings(file: str) -> list[str]:
    if file == "-" or not os.path.isfile(file) or not os.stat(file).st_mode & _READABLE_BY_OTHERS:
        return []
    return ["others on this machine can read the file: chmod 600 it, and delete it after the import"]


def _sentence(result: dict[str, Any]) -> str:
    rest = [f"{name} {result[name]}" for name in ("connection", "reason", "field", "detail") if name in result]
    return f"line {result['line']}: {result['verdict']}{''.join(f', {part}' for part in rest)}"
