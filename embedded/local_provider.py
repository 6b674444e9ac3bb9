"""The sandbox as one more environment of every provider in the catalogue."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from embedded.errors import EmbeddedError
from embedded.home import Home
from embedded.processes import Child

PROVIDER = "visma-eaccounting"
ENVIRONMENT = "local"
START_SECONDS = 60.0
# By provider id, the keys of an [environments.<name>] table.
Environments = Mapping[str, Mapping[str, str | bool]]


def read_environments(base_url: str, child: Child) -> Environments:
    """Return what the sandbox says of every system that it plays, once it answers.

    Raises: ProcessDied when it ended instead, EmbeddedError when it stays silent.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not child.running:
            raise child.obituary()
        try:
            answer = httpx2.get(f"{base_url}/_sandbox/environments", timeout=2, trust_env=False).raise_for_status()
        except httpx2.HTTPError:
            time.sleep(0.05)
            continue
        found: dict[str, Any] = answer.json()
        return found
    raise EmbeddedError(f"The sandbox does not answer at {base_url} after {START_SECONDS:.0f} s; see {child.log}")


def write_catalogue(home: Home, environments: Environments) -> None:
    """Add the environments to the catalogue that the broker reads at its start."""
    write_files(home.root / "catalogue", environments)


def write_files(folder: Path, environments: Environments) -> None:
    """Write one file a provider, as an operator would, and take away those of systems that are gone."""
    texts = {f"{provider}-{ENVIRONMENT}.toml": _text(provider, table) for provider, table in environments.items()}
    for old in folder.glob(f"*-{ENVIRONMENT}.toml"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text)


def _text(provider: str, table: Mapping[str, str | bool]) -> str:
    lines = [f'extends = "{provider}"', "", f"[environments.{ENVIRONMENT}]"]
    return "\n".join([*lines, *(f"{key} = {_value(value)}" for key, value in table.items())]) + "\n"


def _value(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'
