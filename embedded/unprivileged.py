"""How root starts a server that refuses to run as root."""

import os
import shutil
import subprocess
from pathlib import Path

from embedded.errors import EmbeddedError

NOBODY = 65534
NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
DROP = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


def prefix() -> list[str]:
    """Return the words to put before a command so that the server does not see root; none for other users.

    A user namespace first: the server sees user 1000 while the kernel still applies root's file rights, so it
    works below a closed home folder too. Containers often forbid it: then the user is really changed.
    Raises: EmbeddedError when neither works.
    """
    if os.geteuid() != 0:
        return []
    for words in (NAMESPACE, DROP):
        if shutil.which(words[0]) and subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return list(words)
    raise EmbeddedError(
        "PostgreSQL refuses to run as root, and neither unshare nor setpriv (package util-linux) helps here. "
        "Start as an ordinary user, or set DATABASE_URL to a running server."
    )


def owner_under(words: list[str]) -> int:
    """Return the user id that files of a server started with these words belong to."""
    return NOBODY if words == DROP else os.geteuid()


def hand_over(folder: Path, words: list[str]) -> None:
    """Make the folder and all in it the server's, and see that the server can reach it.

    Raises: EmbeddedError when a closed folder further up keeps the server's user out.
    """
    owner = owner_under(words)
    if os.geteuid() == 0 and folder.stat().st_uid != owner:
        for parent, _, files in os.walk(folder):
            for path in [parent, *(os.path.join(parent, name) for name in files)]:
                os.chown(path, owner, owner, follow_symlinks=False)
    if words == DROP:
        _open_the_way(folder, words)


def _open_the_way(folder: Path, words: list[str]) -> None:
    # Passing through is allowed, listing is not, and every file in there is closed by its own mode.
    folder.parent.chmod(folder.parent.stat().st_mode | 0o011)
    if subprocess.run([*words, "test", "-w", str(folder)]).returncode:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and the user that it would run as cannot reach {folder}. "
            "Move the checkout out of the closed folder, start as an ordinary user, or set DATABASE_URL."
        )
