"""A Chromium for the browser tests: the distribution's, else the one that an npm package carries."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.tools import node

HERE = Path(__file__).resolve().parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
# For playwright's launch(): as root there is no sandbox, and nothing may call home.
LAUNCH_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
APT = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
PACKAGES = ["chromium", "fonts-dejavu-core"]
UNPACK = """
const {createReadStream, createWriteStream} = require("fs");
const {createBrotliDecompress} = require("zlib");
const [from, to] = process.argv.slice(1);
require("stream").pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to),
  error => { if (error) throw error; });
"""
# The package was made for a system without libraries or fonts, and brings its own.
STARTER = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
[ -d /usr/share/fonts ] || export FONTCONFIG_FILE="$here/own-fonts.conf"
exec "$here/chromium" "$@"
"""
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""


def executable() -> str:
    """Return the path of a Chromium that `install` found or made.

    Raises: ToolMissing.
    """
    for found in map(shutil.which, NAMES):
        if found:
            return found
    if _starter().exists():
        return str(_starter())
    raise node.ToolMissing("No Chromium here: `make test-tools` installs one.")


def install() -> None:
    """Make sure that `executable` finds one: from the distribution as root, else from npm."""
    if any(map(shutil.which, NAMES)) or _starter().exists():
        return
    if not (os.geteuid() == 0 and shutil.which("apt-get") and _install_from_distribution()):
        install_from_npm()


def _install_from_distribution() -> bool:
    node.tell("Installing Chromium from the distribution")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        if subprocess.run([*APT, *words], env=environment, capture_output=True).returncode:
            return False
    return True


def install_from_npm() -> None:
    """Unpack the Chromium of the npm package beside it."""
    node.install(HERE)
    node.tell("Unpacking Chromium from its npm package")
    packed = HERE / "node_modules/@sparticuz/chromium/bin"
    folder = _starter().parent
    folder.mkdir(exist_ok=True)
    _unpack(packed / "chromium.br", folder / "chromium")
    (folder / "chromium").chmod(0o755)
    for archive in ("fonts", "swiftshader", "al2023"):
        _unpack(packed / f"{archive}.tar.br", folder / f"{archive}.tar")
        with tarfile.open(folder / f"{archive}.tar") as tar:
            tar.extractall(folder, filter="data")
    (folder / "own-fonts.conf").write_text(FONTS)
    # Last, because its presence means that all the rest is there.
    _starter().write_text(STARTER)
    _starter().chmod(0o755)


def _starter() -> Path:
    return HERE / "node_modules/.chromium/start"


def _unpack(source: Path, target: Path) -> None:
    subprocess.run([node.executable(), "-e", UNPACK, str(source), str(target)], check=True)
