"""Installs what is missing; quick when nothing is. `make test` calls it before pytest."""

import sys

from tests.tools import browser, nginx, node


def main() -> int:
    """Install, and return the exit code for the shell."""
    try:
        node.install_peers()
        browser.install()
        # Last: it keeps what it unpacks beside what npm installs.
        nginx.install()
    except node.ToolMissing as missing:
        node.tell(str(missing))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
