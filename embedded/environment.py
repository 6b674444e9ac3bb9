"""The environment that the broker's own processes get, and the file in which it is kept."""

import base64
import os
import secrets
import shlex
from pathlib import Path

from embedded.home import Home, write_private

FILE_NAME = "environment"


def broker_environment(home: Home, public_url: str, urls: dict[str, str]) -> dict[str, str]:
    """Return the variables of the broker's settings for a demo on this machine.

    Secrets stay in files of their own. What the caller's environment sets already wins, and is kept as well,
    so that commands started later from another terminal see the same.
    """
    wanted = {
        "DJANGO_SETTINGS_MODULE": "broker.settings",
        "BROKER_ENVIRONMENT": "demo",
        "DEMO": "true",
        "SECRET_KEY_FILE": str(home.secret("secret-key", lambda: secrets.token_urlsafe(64))),
        "KEYRING_FILE": str(home.secret("keyring", new_keyring)),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "PUBLIC_URL": public_url,
        **urls,
        "CATALOGUE_DIRECTORY": str(home.root / "catalogue"),
        "STATIC_ROOT": str(home.root / "static"),
        "ESCROW_DIRECTORY": str(home.root / "escrow"),
        # Tokens of the demo live for seconds; the default pace is for tokens that live for an hour.
        "RENEWAL_SWEEP_SECONDS": "2",
    }
    return dict(_given(name) or (name, value) for name, value in wanted.items())


def _given(name: str) -> tuple[str, str] | None:
    plain = name.removesuffix("_FILE")
    found = [candidate for candidate in (plain, f"{plain}_FILE") if os.environ.get(candidate)]
    return (found[0], os.environ[found[0]]) if found else None


def new_keyring() -> str:
    """Return a keyring with one fresh key, in the form that the settings read."""
    return f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def save(home: Home, variables: dict[str, str]) -> Path:
    """Write the variables as lines that a shell can source, and return the file."""
    path = home.root / FILE_NAME
    write_private(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()))
    return path


def load(path: Path) -> dict[str, str]:
    """Return the variables that `save` wrote."""
    words = shlex.split(path.read_text())
    return dict(word.split("=", 1) for word in words)
