"""Where the command finds the broker: options, environment, or a file that only its owner may read."""

import argparse
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from token_broker import TokenBroker

_KNOWN = {"url", "key", "key_file"}
_VARIABLES = {"url": "BROKER_URL", "key": "BROKER_API_KEY", "key_file": "BROKER_API_KEY_FILE"}


def broker_of(options: argparse.Namespace, environ: Mapping[str, str]) -> TokenBroker:
    """Return the client. Raises ValueError, which says what is missing and never shows a key."""
    typed = {"url": options.url, "key_file": options.key_file}
    told = {name: environ.get(variable) for name, variable in _VARIABLES.items()}
    found = _over(typed, told)
    if not (found.get("url") and (found.get("key") or found.get("key_file"))):
        found = _over(found, _written(config_file(environ)))
    return TokenBroker(found.get("url"), found.get("key"), key_file=found.get("key_file"), timeout=options.timeout)


def _over(first: Mapping[str, str | None], second: Mapping[str, str | None]) -> dict[str, str]:
    """Return the first with what the second has besides; a key counts as one, whichever way it is given."""
    found = {name: value for name, value in first.items() if value}
    more = {name: value for name, value in second.items() if value and name not in found}
    if "key" in found or "key_file" in found:
        more = {name: value for name, value in more.items() if name == "url"}
    if "key" in more:
        more.pop("key_file", None)
    return {**found, **more}


def config_file(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    return Path(base) / "token-broker" / "config.toml"


def _written(path: Path) -> dict[str, str | None]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            told = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        # A TOML error quotes the place, which may be in the middle of the key.
        raise ValueError(f"{path} cannot be read: {type(error).__name__}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ValueError(f"{path} may be read by others: chmod 600 {path}")
    if told.keys() - _KNOWN or not all(isinstance(value, str) for value in told.values()):
        raise ValueError(f"{path} takes {', '.join(sorted(_KNOWN))}, each a text")
    return told
