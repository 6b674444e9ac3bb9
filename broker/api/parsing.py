"""JSON bodies, strictly: a repeated member or a NaN is two readings of one text."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class StrictParser(Parser):
    """Refuses repeated members, NaN, infinities, NULs and anything that is not UTF-8. Raises ValueError."""

    def parse_body(self, request: HttpRequest) -> Any:
        return strict_json(request.body, unique_without_nul)


def strict_json(text: bytes, members: Any = None) -> Any:
    """Return what the text says. Raises ValueError for what StrictParser refuses, but for NULs."""
    try:
        return json.loads(text.decode(), object_pairs_hook=members or unique, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("repeated member")
    return members


def unique_without_nul(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As unique, for what may reach the database, which cannot hold a NUL."""
    members = unique(pairs)
    if any("\x00" in text for text in (*members, *(value for value in members.values() if isinstance(value, str)))):
        raise ValueError("NUL")
    return members


def _constant(name: str) -> Any:
    raise ValueError(name)
