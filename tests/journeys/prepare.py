"""Run several commands in one process, because each would spend a second on importing: a JSON list in, another out.

echo '[["create_tenant", "acme", "--name", "Acme Oy"]]' | python -m tests.journeys.prepare
"""

import io
import json
import sys
from typing import Any

import django
from django.core.management import call_command


def run(words: list[str]) -> Any:
    """Return what a command printed as JSON, or None for one that prints nothing."""
    printed = io.StringIO()
    call_command(*words, stdout=printed)
    return json.loads(printed.getvalue() or "null")


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps([run(words) for words in json.load(sys.stdin)]))
