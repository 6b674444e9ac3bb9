"""How values look at a prompt: tables for people, JSON for programs."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

_GOOD, _WORSE, _BAD, _END = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"
COLOURS = {"connected": _GOOD, "degraded": _WORSE, "pending": _WORSE, "reauthorization_required": _BAD}


def as_json(value: Any) -> str:
    """Return a value of ours as one line of JSON."""
    return json.dumps(members(value), default=_plain, ensure_ascii=False)


def members(value: Any) -> Any:
    """Return what a value holds; what a connection has besides stands among its own members."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    found = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    return {**found, **found.pop("more", {})}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else dict(value)


def text_of(value: Any) -> str:
    """Return a value as a cell. What others have chosen, an account's name, must not steer the terminal."""
    if value is None:
        return "-"
    text = value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else str(value)
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def table(rows: Sequence[Mapping[str, Any]], titles: Sequence[str], *, colour: bool) -> list[str]:
    """Return lines with columns as wide as they have to be."""
    cells = [[title.upper().replace("_", " ") for title in titles]]
    cells += [[text_of(row.get(title)) for title in titles] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(titles))]
    return [_line(line, widths, colour) for line in cells]


def _line(cells: Sequence[str], widths: Sequence[int], colour: bool) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    painted = [_painted(cell) for cell in padded] if colour else padded
    return "  ".join(painted).rstrip()


def _painted(cell: str) -> str:
    found = COLOURS.get(cell.strip())
    return f"{found}{cell}{_END}" if found else cell


def listing(found: Mapping[str, Any], *, colour: bool) -> list[str]:
    """Return one line for each member."""
    width = max(map(len, found), default=0)
    return [_line([name, text_of(value)], [width, 0], colour) for name, value in found.items()]
