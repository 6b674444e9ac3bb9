"""Point every provider of the catalogue at a sandbox process, by extra catalogue files as an operator would."""

from pathlib import Path

from embedded import local_provider
from sandbox.environments import environments


def write(folder: Path, sandbox_url: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    local_provider.write_files(folder, environments(sandbox_url))
    return folder
