"""Generic code knows no provider: every name stays in its catalogue file, or in its own module."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from providers.registry import CATALOGUE, load_definitions

ROOM = CATALOGUE.parent
# Modules of providers that need code of their own, and the one list of those modules.
CODED = ROOM / "visma"
# Words that products are named with, and that mean what they mean.
ORDINARY = frozenset({"business", "connect", "service", "services", "operator", "integrations", "payslip", "direct"})
GENERIC = sorted({*ROOM.rglob("*.py")} - {*CODED.rglob("*.py"), ROOM / "coded.py"})


def names() -> set[str]:
    """Ids, the words of display names, and the registrable host names of all endpoints."""
    found: set[str] = set()
    for definition in load_definitions().values():
        found |= {definition.id, *re.findall(r"\w{4,}", f"{definition.id} {definition.display_name}")}
        for environment in definition.environments.values():
            address = environment.issuer or environment.api_base_url
            found.add(".".join(re.findall(r"https://([^/]+)", address)[0].split(".")[-2:]))
        found |= {entry.name for entry in definition.scopes_supported if ":" in entry.name and "*" not in entry.name}
    return {name.lower() for name in found} - ORDINARY


@pytest.mark.parametrize("file", GENERIC, ids=lambda file: str(file.relative_to(ROOM)))
def test_generic_code_names_no_provider(file: Path):
    text = file.read_text(encoding="utf-8").lower()
    assert [name for name in sorted(names()) if re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_the_search_would_find_one():
    assert len(names()) > 10
    assert len(GENERIC) > 15
