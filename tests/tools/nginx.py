"""An nginx for the tests of the gateway: the machine's own, else the distribution's, unpacked and not installed.

Installing it would start a server on port 80 of a developer's machine.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.tools import node

# Debian has it in the first, older Ubuntus in the second; the library is the one that small images lack.
PACKAGES = ("nginx", "nginx-core", "libpcre2-8-0")
_ROOT = Path(__file__).resolve().parent / "node_modules/.nginx"
# As root apt hands downloads to a user who cannot write into our folders.
_APT = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "APT::Sandbox::User=root"]


def command() -> list[str]:
    """Return the words that start nginx. Raises ToolMissing."""
    own = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if own:
        return [own]
    found = _ROOT / "usr/sbin/nginx"
    if not found.exists():
        raise node.ToolMissing("No nginx here: `make test-tools` fetches one, where the distribution has apt.")
    libraries = ":".join(str(folder) for folder in sorted(_ROOT.glob("usr/lib/*-linux-gnu*")))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(found)]


def install() -> None:
    """Make sure that `command` finds one. Raises ToolMissing."""
    try:
        command()
    except node.ToolMissing:
        _unpack_from_distribution()
        subprocess.run([*command(), "-v"], check=True, capture_output=True)


def _unpack_from_distribution() -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise node.ToolMissing("No nginx here, and no apt that has one: install nginx by your system's own means.")
    node.tell("Fetching nginx from the distribution")
    with tempfile.TemporaryDirectory() as folder:
        packages = _downloaded(Path(folder)) or _downloaded_after_update(Path(folder))
        for package in packages:
            _ROOT.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", str(package), str(_ROOT)], check=True)
    command()


def _downloaded_after_update(folder: Path) -> list[Path]:
    subprocess.run([*_APT, "update"], capture_output=True)
    return _downloaded(folder)


def _downloaded(folder: Path) -> list[Path]:
    for name in PACKAGES:
        # Not every distribution has all of them: what counts is what is there in the end.
        subprocess.run([*_APT, "download", name], cwd=folder, capture_output=True)
    found = sorted(folder.glob("*.deb"))
    return found if any(package.name.startswith("nginx") for package in found) else []
