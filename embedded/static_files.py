"""Static files, collected again only when there is something to collect."""

import hashlib
import json
from pathlib import Path

from embedded.home import CHECKOUT, Home
from embedded.manage import Manage


def collect(home: Home, manage: Manage) -> None:
    """Run collectstatic, unless nothing has changed since the last time.

    Raises: EmbeddedError when the command fails.
    """
    target = Path(manage.variables["STATIC_ROOT"])
    state = {"target": str(target), "sources": _sources()}
    if home.read("static.json") == state and target.exists():
        return
    manage.run("collectstatic", "--noinput", "--verbosity=0")
    home.write("static.json", state)


def _sources() -> str:
    """Return a digest of what static files are made from: our own, and those of the packages."""
    own = [path for path in sorted((CHECKOUT / "static").rglob("*")) if path.is_file()]
    facts = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in own]
    packages = (CHECKOUT / "requirements.txt").read_text()
    return hashlib.sha256(json.dumps([facts, packages]).encode()).hexdigest()
