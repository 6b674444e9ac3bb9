"""Two virtual providers, one with a grace time and one without, where the process keeps its registry."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker.services import directory
from providers.registry import Registry
from tests.chaos_support.virtual_provider import VirtualProvider

GRACE_SECONDS = 30
CATALOGUE = """
based_on = "visma-eaccounting"
display_name = "Virtual"
[traits]
refresh_token_rotation = "always"
reuse_kills_family = true
grace_seconds = {grace}
"""


class Door:
    """What all stories' providers are reached by: the one of the story that is being told."""

    def __init__(self) -> None:
        self.provider = VirtualProvider(0)

    def send(self, request: Any, *, provider_id: str = "") -> Any:
        return self.provider.send(request, provider_id=provider_id)


@contextmanager
def virtual_catalogue() -> Iterator[Door]:
    """Puts the virtual provider, with and without a grace time, where the process's registry is."""
    door, before = Door(), directory.registry
    with tempfile.TemporaryDirectory() as folder:
        for name, grace in (("virtual-strict", 0), ("virtual-grace", GRACE_SECONDS)):
            Path(folder, f"{name}.toml").write_text(f'id = "{name}"\n{CATALOGUE.format(grace=grace)}')
        registry = Registry.load(door, extra_directory=Path(folder))  # type: ignore[arg-type]
    directory.registry = lambda: registry  # type: ignore[assignment]
    try:
        yield door
    finally:
        directory.registry = before
