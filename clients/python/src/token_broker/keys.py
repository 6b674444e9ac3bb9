"""Where the API key, or the workload's own token, comes from. It is read anew for each request to the broker."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

KeySource = Callable[[], str]


def key_source(
    key: str | Callable[[], str] | None, key_file: str | os.PathLike[str] | None, environ: Mapping[str, str]
) -> KeySource:
    """Return what gives the key: the argument, else the file, else BROKER_API_KEY or BROKER_API_KEY_FILE.

    Raises: ValueError when there is none, or the key cannot be one.
    """
    if key is not None and key_file is not None:
        raise ValueError("give a key or a key_file, not both")
    if key is None and key_file is None:
        key, key_file = environ.get("BROKER_API_KEY"), environ.get("BROKER_API_KEY_FILE")
    if callable(key):
        given = key
        return lambda: checked(given())
    if key:
        held = checked(key)
        return lambda: held
    if key_file:
        path = Path(key_file)
        # Orchestrators replace such a file before the token in it ends.
        return lambda: checked(path.read_text(encoding="utf-8"))
    raise ValueError("there is no API key: give key or key_file, or set BROKER_API_KEY or BROKER_API_KEY_FILE")


def checked(text: str) -> str:
    """Return the key without the white space around it. Raises ValueError, which does not show it."""
    key = text.strip()
    if not key or not all("!" <= letter <= "~" for letter in key):
        raise ValueError("the API key is empty, or holds characters that no key has")
    return key


def url_of(url: str | None, environ: Mapping[str, str]) -> str:
    """Return the broker's address without a slash at its end: the argument, else BROKER_URL. Raises ValueError."""
    found = (url or environ.get("BROKER_URL") or "").rstrip("/")
    if not found.startswith(("http://", "https://")) or "@" in found:
        raise ValueError(
            "the broker's address begins with https:// (or http://) and holds no user: give url or BROKER_URL"
        )
    return found
