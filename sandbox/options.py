"""What the sandbox can be told when it starts."""

import argparse
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PASSWORD = "sandbox-password"
DEFAULT_REDIRECT_URI = "http://127.0.0.1:8000/cb/visma-eaccounting"


@dataclass(frozen=True, slots=True)
class Options:
    """One value per command line option; docs/sandbox.md explains each."""

    host: str = "127.0.0.1"
    port: int = 9000
    data: Path | None = None
    access_token_seconds: int = 3600
    grace_seconds: float = 0.0
    rotation: str = "always"
    response_iss: str = "omit"
    client_secret: str | None = None
    redirect_uris: tuple[str, ...] = ()
    password: str = DEFAULT_PASSWORD
    ready_file: Path | None = None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of this start, checked.

    Raises: SystemExit(2) with a usage line when an option makes no sense.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if not _is_loopback(given.host):
        parser.error(f"--host must be a loopback address, not {given.host}")
    if given.access_token_seconds < 1 or given.grace_seconds < 0:
        parser.error("--access-token-seconds must be positive and --grace-seconds not negative")
    values = vars(given)
    values["redirect_uris"] = tuple(values["redirect_uris"])
    return Options(**values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m sandbox", description="The providers' double on loopback.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="loopback address to listen on")
    add("--port", type=int, default=9000, help="0 takes any free port")
    add("--data", type=Path, help="folder that keeps users, clients and grants; in memory without it")
    add("--access-token-seconds", type=int, default=3600, help="lifetime of access tokens")
    add("--grace-seconds", type=float, default=0.0, help="how long a rotated refresh token still works")
    add("--rotation", choices=("always", "none"), default="always", help="whether refresh tokens rotate")
    add("--response-iss", choices=("omit", "send"), default="omit", help="`iss` in authorization responses")
    add("--client-secret", help="secret of sandbox-client; generated without it")
    add("--redirect-uri", dest="redirect_uris", action="append", default=[], help="repeatable")
    add("--password", default=DEFAULT_PASSWORD, help="password of the users seeded at the first start")
    add("--ready-file", type=Path, help="gets the ready line once the sandbox listens")
    return parser


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
