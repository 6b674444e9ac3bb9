"""JSON bodies, strictly: a repeated member or a NaN is two readings of one text."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class StrictParser(Parser):
    """Refuses repeated members, NaN, infinities, NULs and anything that is not UTF-8. Raises ValueError."""

    def parse_body(self, request: HttpRequest) -> Any:
        return _decoded(_WITHOUT_NUL, request.body)


def strict_json(text: bytes) -> Any:
    """Return what the text says. Raises ValueError for what StrictParser refuses, but for NULs."""
    return _decoded(_STRICT, text)


def _decoded(decoder: json.JSONDecoder, text: bytes) -> Any:
    try:
        return decoder.decode(text.decode())
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


# Made once: making one costs as much as reading a small body.
_STRICT = json.JSONDecoder(object_pairs_hook=unique, parse_constant=_constant)
_WITHOUT_NUL = json.JSONDecoder(object_pairs_hook=unique_without_nul, parse_constant=_constant)
