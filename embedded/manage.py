"""The broker's commands, run as a person would run them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedded.errors import EmbeddedError
from embedded.home import CHECKOUT


@dataclass(frozen=True)
class Manage:
    """`manage.py` with the variables of one installation."""

    variables: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment that the broker's processes get."""
        return {**os.environ, **self.variables, "PYTHONUNBUFFERED": "1"}

    def command(self, *words: str) -> list[str]:
        """Return the full command line."""
        return [sys.executable, str(CHECKOUT / "manage.py"), *words]

    def run(self, *words: str, stdin: str = "", extra: Mapping[str, str] | None = None) -> str:
        """Return what the command printed.

        Raises: EmbeddedError with the command's own complaint when it fails.
        """
        done = subprocess.run(
            self.command(*words),
            input=stdin,
            env={**self.environment, **(extra or {})},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
            raise EmbeddedError(f"manage.py {words[0]} failed ({done.returncode}): {tail}")
        return done.stdout

    def json(self, *words: str, stdin: str = "") -> dict[str, Any]:
        """Return the one JSON object that the command printed."""
        printed = self.run(*words, "--json", stdin=stdin)
        try:
            answer: dict[str, Any] = json.loads(printed)
        except ValueError:
            raise EmbeddedError(f"manage.py {words[0]} --json did not print one JSON object") from None
        return answer
