"""Texts with `{variable}` in them: the one small language that a catalogue file has."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\{([a-z][a-z_]*(?:\.[A-Za-z0-9_-]+)?)\}")


def variables(template: str) -> frozenset[str]:
    """The names that a template uses."""
    return frozenset(_VARIABLE.findall(template))


def is_template(text: str) -> bool:
    """Whether every brace of a text belongs to a variable."""
    return not set("{}") & set(_VARIABLE.sub("", text))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The text with each variable's value in its place; a variable without value is empty."""
    return _VARIABLE.sub(lambda found: values.get(found[1], ""), template)
