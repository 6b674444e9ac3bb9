"""manage.py replay_escrow"""

from typing import Any

from broker.management.base import JsonCommand
from broker.services import escrow, escrow_file


class Command(JsonCommand):
    help = (
        "Put the renewed tokens into the database that were kept in ESCROW_DIRECTORY while it was away. Workers and "
        "web processes do so by themselves; this is for a machine where none runs any more."
    )

    def act(self, **options: Any) -> dict[str, Any]:
        return {
            "replayed": escrow.replay(),
            "waiting": escrow.pending(),
            "set_aside": [path.name for path in escrow_file.set_aside(escrow.folder())],
        }

    def shortcoming(self, result: dict[str, Any]) -> str:
        if result["waiting"]:
            return f"{result['waiting']} files wait: a living process holds them, or this user may not write them"
        if result["set_aside"]:
            return f"{len(result['set_aside'])} files fit nothing here and were kept; the runbook says what to do"
        return ""
