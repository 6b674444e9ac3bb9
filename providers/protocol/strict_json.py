"""JSON from strangers: objects and arrays, no repeated keys, no NaN, not deep; anything else is not JSON to us."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAXIMUM_DEPTH = 16


def parse_object(body: bytes) -> dict[str, Any] | None:
    """The object a body holds, or None when it holds anything else.

    Source: RFC 8259 sections 4, 6 and 9.
    """
    value = parse_value(body)
    return value if isinstance(value, dict) else None


def parse_objects(body: bytes) -> list[dict[str, Any]] | None:
    """The objects of the array that a body holds, or None when it holds anything else."""
    value = parse_value(body)
    return value if isinstance(value, list) and all(isinstance(each, dict) for each in value) else None


def parse_value(body: bytes) -> Any:
    """Whatever a body holds, None when it is not JSON to us."""
    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if _is_shallow(value) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers that disagree on which one counts is how responses are smuggled.
        raise ValueError("repeated key")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(MAXIMUM_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return True
    return False


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def value_at(value: Any, path: str) -> Any:
    """What is at a dotted path, None when there is nothing; a number is a place in an array, "" the whole."""
    for step in path.split(".") if path else ():
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and len(step) < 5 and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def text_at(value: Any, path: str) -> str:
    """The text or number at a dotted path, as text; empty when there is none."""
    found = value_at(value, path)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return str(found)
