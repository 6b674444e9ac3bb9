"""Run several of the broker's commands in one process, because each would spend a second on importing.

python -m embedded.many_commands, with the broker's variables: a JSON list of {"words", "stdin"} in, a list of what each
printed as JSON out, or of {"refused": why}.
"""

import io
import json
import sys
from typing import Any

import django
from django.core.management import call_command
from django.core.management.base import CommandError


def run(words: list[str], stdin: str = "") -> Any:
    """Return what a command printed as JSON, None for one that prints nothing, or why it was refused."""
    printed, before = io.StringIO(), sys.stdin
    # Where a command reads a secret: arguments would be seen by everybody.
    sys.stdin = io.StringIO(stdin)
    try:
        call_command(*words, stdout=printed)
    except CommandError as error:
        return {"refused": str(error)}
    finally:
        sys.stdin = before
    return json.loads(printed.getvalue() or "null")


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps([run(**command) for command in json.load(sys.stdin)]))
