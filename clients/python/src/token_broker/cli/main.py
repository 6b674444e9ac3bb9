"""Run one command, and end with the code that says how it went."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from token_broker.cli.arguments import parser
from token_broker.cli.settings import broker_of
from token_broker.cli.tables import as_json, text_of
from token_broker.errors import BrokerUnreachable, Refused, TokenBrokerError

DONE, REFUSED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130


def run() -> None:
    """The console script."""
    try:
        status = main(sys.argv[1:], os.environ)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python's own last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = DONE
    sys.exit(status)


def main(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Return the exit code of one command line."""
    options = parser().parse_args(words)
    try:
        with broker_of(options, environ) as broker:
            for line in options.command(broker, options, colour=_colour(sys.stdout, environ)):
                print(line, flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Refused as error:
        return _refused(error, json=options.json)
    except BrokerUnreachable as error:
        return _told(str(error), UNREACHABLE)
    except (TokenBrokerError, ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        return _told(str(error), USAGE)
    return DONE


def _colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    # Source: no-color.org.
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _refused(error: Refused, *, json: bool) -> int:
    if json:
        return _told(as_json(error.problem), REFUSED, prefix="")
    lines = [f"{error.code}: {text_of(error.args[0])}"]
    if error.retry_after is not None:
        lines.append(f"try again in {error.retry_after:.0f} s")
    if error.connect_url:
        # Somebody at a prompt asked on the customer's behalf: the link is what they need.
        lines.append(f"the customer's link: {error.connect_url}")
    return _told("\n".join(lines), REFUSED)


def _told(text: str, status: int, *, prefix: str = "broker: ") -> int:
    print(prefix + text, file=sys.stderr)
    return status
