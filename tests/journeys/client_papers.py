"""The client's README, run: its Python in one namespace, its shell lines with the command and curl at hand."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.fakes.broker import PROJECT

CLIENT = PROJECT / "clients" / "python"
README = CLIENT / "README.md"


def blocks(language: str) -> list[str]:
    """Return the README's blocks in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run_python(replaced: dict[str, str]) -> dict[str, Any]:
    """Return the names that the blocks leave behind, run one after the other."""
    namespace: dict[str, Any] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(_with(block, replaced), str(README), "exec"), namespace)
    return namespace


def run_shell(replaced: dict[str, str], folder: Path, **environ: str) -> str:
    """Return what all the blocks print, each in a shell of its own that stops at the first failure."""
    path = f"{command_folder(folder)}:{os.environ['PATH']}"
    printed = []
    for block in blocks("sh"):
        script = "set -euo pipefail\n" + _with(block, replaced)
        given = {"PATH": path, "HOME": str(folder), "NO_PROXY": "*", **environ}
        done = subprocess.run(["bash", "-c", script], env=given, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        printed.append(done.stdout)
    return "".join(printed)


def command_folder(folder: Path) -> Path:
    """Return a folder with the command `broker` in it, as an installation would make it."""
    command = folder / "bin" / "broker"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH={CLIENT / "src"} exec {sys.executable} -m token_broker "$@"\n')
    command.chmod(0o755)
    return command.parent


def _with(block: str, replaced: dict[str, str]) -> str:
    for old, new in replaced.items():
        block = block.replace(old, new)
    return block
