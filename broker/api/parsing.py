"""JSON bodies, strictly: a repeated member or a NaN is two readings of one text."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class StrictParser(Parser):
    """Refuses repeated members, NaN, infinities and anything that is not UTF-8. Raises ValueError."""

    def parse_body(self, request: HttpRequest) -> Any:
        try:
            return json.loads(request.body, object_pairs_hook=_unique, parse_constant=_constant)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("repeated member")
    if any("\x00" in text for text in (*members, *(value for value in members.values() if isinstance(value, str)))):
        raise ValueError("NUL")
    return members


def _constant(name: str) -> Any:
    raise ValueError(name)
