"""A private folder for unix sockets, short enough for the kernel."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from embedded.errors import EmbeddedError

# sun_path holds 108 bytes on Linux, the last one is NUL.
PATH_LIMIT = 107
LONGEST_NAME = ".s.PGSQL.5432"


def socket_folder(preferred: Path) -> Path:
    """Return a 0700 folder that sockets fit in: the preferred one, else one in the temp folder.

    The fallback is the same one at every start, so that addresses written down stay true.
    Raises: EmbeddedError when no place is short enough, or somebody else owns the fallback.
    """
    digest = hashlib.sha256(os.fsencode(preferred.absolute())).hexdigest()[:12]
    name = f"token-broker-{os.geteuid()}-{digest}"
    candidates = [preferred.absolute(), Path(tempfile.gettempdir()) / name, Path("/tmp") / name]
    for folder in candidates:
        if fits(folder):
            return private_folder(folder)
    raise EmbeddedError(
        f"Sockets need a path of at most {PATH_LIMIT} bytes and none of these is short enough: "
        + ", ".join(str(folder) for folder in candidates)
        + ". Move the checkout, or set TMPDIR to a short path."
    )


def fits(folder: Path) -> bool:
    """Tell whether every socket of ours can be bound in this folder."""
    return len(os.fsencode(folder / LONGEST_NAME)) <= PATH_LIMIT


def private_folder(folder: Path) -> Path:
    """Return the folder, made if absent, that only this user can enter.

    Raises: EmbeddedError when it is a link or belongs to somebody else: the temp folder is everybody's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), *_servers_uid()):
        raise EmbeddedError(f"{folder} is not a folder of this user; remove it and start again.")
    folder.chmod(0o700)
    return folder


def _servers_uid() -> tuple[int, ...]:
    # Root may have handed the folder to the unprivileged user that PostgreSQL runs as.
    return (65534,) if os.geteuid() == 0 else ()
