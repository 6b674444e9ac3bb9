"""What can be typed after `broker`."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from token_broker.cli import commands
from token_broker.cli.commands import Command

CODES = """exit codes: 0 done, 1 refused by the broker, 2 wrong usage or configuration, 3 the broker is not reached

address and key: BROKER_URL with BROKER_API_KEY or BROKER_API_KEY_FILE, or url and key or key_file in
~/.config/token-broker/config.toml, which only you may read (chmod 600)"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; `command` of its result is what to call."""
    made = argparse.ArgumentParser(
        prog="broker", description="Talk to the token broker.", epilog=CODES, formatter_class=_Plain, allow_abbrev=False
    )
    made.add_argument("--url", help="the broker's address")
    made.add_argument("--key-file", help="a file that holds the API key, or a workload's token")
    made.add_argument("--timeout", type=_seconds, default=10.0, help="seconds for one command (10)")
    below = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _tokens(below)
    _connections(below)
    _events(below)
    return made


_Plain = argparse.RawDescriptionHelpFormatter
if TYPE_CHECKING:
    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def _tokens(below: "_Subparsers") -> None:
    token = _command(below, "token", commands.token, "a valid access token")
    _place(token)
    token.add_argument("--min-ttl", type=int, metavar="SECONDS", help="it has to be good for so long")
    token.add_argument("--scope", help="for these scopes, with spaces between")
    token.add_argument("--raw", action="store_true", help="print the token and nothing else")
    headers = _command(below, "headers", commands.headers, "the headers of one request, signed where that is wanted")
    _place(headers)
    headers.add_argument("--method", default="GET")
    headers.add_argument("--to", required=True, metavar="URL", help="the request's whole URL")
    headers.add_argument("--body-file", metavar="FILE", help="its body; - is standard input")
    headers.add_argument("--content-type")
    batch = _command(below, "batch", commands.batch, "many tokens at once, as JSON lines")
    batch.add_argument("--min-ttl", type=int, metavar="SECONDS")
    batch.add_argument("file", help="lines of a connection id, or `tenant provider [label]`; - is standard input")


def _connections(below: "_Subparsers") -> None:
    found = _command(below, "connections", commands.connections, "connections, newest first")
    for name in ("--tenant", "--provider", "--state"):
        found.add_argument(name, default="")
    found.add_argument("--limit", type=int, default=100, help="at most so many (100)")
    _command(below, "connection", commands.connection, "one connection").add_argument("id")
    link = _command(below, "connect-link", commands.connect_link, "a link with which a customer connects")
    link.add_argument("tenant")
    link.add_argument("provider", nargs="+")
    for name in ("--return-url", "--locale", "--label"):
        link.add_argument(name)
    link.add_argument("--connection", metavar="ID", help="repair this one")
    end = _command(below, "disconnect", commands.disconnect, "end a connection, and tell the provider")
    end.add_argument("id")
    end.add_argument("--yes", action="store_true", help="do not ask")


def _events(below: "_Subparsers") -> None:
    tail = _command(below, "tail", commands.tail, "events, as they come; Ctrl-C ends it")
    tail.add_argument("--after", metavar="CURSOR", default="now", help="go on after this; `start`: the oldest kept")
    tail.add_argument("--type", action="append", default=[], help="only this type; may be repeated")
    tail.add_argument("--tenant", default="")
    tail.add_argument("--connection", metavar="ID")
    tail.add_argument("--no-follow", action="store_true", help="only those that are there")


def _command(below: "_Subparsers", name: str, call: Callable[..., Command], told: str) -> argparse.ArgumentParser:
    made = below.add_parser(name, help=told, description=told, allow_abbrev=False)
    made.add_argument("--json", action="store_true", help="JSON on standard output")
    made.set_defaults(command=call)
    return made


def _place(made: argparse.ArgumentParser) -> None:
    made.add_argument("tenant", nargs="?", default="")
    made.add_argument("provider", nargs="?", default="")
    made.add_argument("--label", help="where a tenant has several connections at the provider")
    made.add_argument("--connection", metavar="ID", help="instead of tenant and provider")


def _seconds(text: str) -> float:
    found = float(text)
    if not 0 < found <= 600:
        raise argparse.ArgumentTypeError("seconds are more than 0 and at most 600")
    return found
