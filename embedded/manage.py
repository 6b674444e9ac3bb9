"""The broker's commands, run as a person would run them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
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
        return self._run(self.command(*words), f"manage.py {words[0]}", stdin, extra or {})

    def json(self, *words: str, stdin: str = "") -> dict[str, Any]:
        """Return the one JSON object that the command printed."""
        printed = self.run(*words, "--json", stdin=stdin)
        try:
            answer: dict[str, Any] = json.loads(printed)
        except ValueError:
            raise EmbeddedError(f"manage.py {words[0]} --json did not print one JSON object") from None
        return answer

    def many(self, commands: Sequence[tuple[list[str], str]]) -> list[dict[str, Any]]:
        """Return the JSON objects of several commands, run in order by one process; one that fails says why.

        Shape:  each command is its words and what it reads from stdin; the answer of a failure is {"refused": why}.
        """
        asked = [{"words": [*words, "--json"], "stdin": stdin} for words, stdin in commands]
        program = [sys.executable, "-m", "embedded.many_commands"]
        answers: list[dict[str, Any]] = json.loads(self._run(program, "several commands", json.dumps(asked), {}))
        return answers

    def _run(self, program: list[str], name: str, stdin: str, extra: Mapping[str, str]) -> str:
        environment = {**self.environment, **extra}
        done = subprocess.run(program, input=stdin, env=environment, cwd=CHECKOUT, capture_output=True, text=True)
        if done.returncode:
            tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
            raise EmbeddedError(f"{name} failed ({done.returncode}): {tail}")
        return done.stdout
