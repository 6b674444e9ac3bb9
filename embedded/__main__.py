"""`python -m embedded run | demo | manage ...`."""

import argparse
import os
import sys
from pathlib import Path

from embedded import environment
from embedded.demo import demo
from embedded.errors import EmbeddedError
from embedded.home import Home
from embedded.manage import Manage
from embedded.run import run


def main() -> int:
    """Do what the command line asks and return the exit code."""
    options = _parser().parse_args()
    home = Home(options.home.absolute()) if options.home else Home()
    try:
        if options.command == "run":
            return run(home)
        if options.command == "demo":
            return demo(home)
        return manage(home, options.words)
    except KeyboardInterrupt:
        return 130
    except EmbeddedError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def manage(home: Home, words: list[str]) -> int:
    """Become manage.py with the variables of the installation.

    Raises: EmbeddedError when nothing was ever started here.
    """
    path = home.root / environment.FILE_NAME
    if not path.exists():
        raise EmbeddedError("Nothing was started here yet: `make run` first.")
    commands = Manage(environment.load(path))
    sys.stdout.flush()
    os.execve(sys.executable, commands.command(*words), commands.environment)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m embedded", description=__doc__)
    parser.add_argument("--home", type=Path, help="folder for data, keys and logs; var/ in the checkout without it")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything and stay")
    commands.add_parser("demo", help="the main job, unattended")
    manage_parser = commands.add_parser("manage", help="manage.py with the variables of the running installation")
    manage_parser.add_argument("words", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
