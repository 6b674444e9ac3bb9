"""manage.py rotate_keys [--data-keys]"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import keys


class Command(JsonCommand):
    help = (
        "Wrap every data key by the newest key of the keyring. With --data-keys, give every tenant a new data key and "
        "seal everything again. Both may be interrupted and run again, and run while the broker serves."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-keys", action="store_true")

    def act(self, **options: Any) -> dict[str, Any]:
        rewrapped = keys.rewrap_data_keys()
        renewed = keys.renew_data_keys() if options["data_keys"] else 0
        # Always: what an interrupted run left under a retired key is finished by the next one.
        resealed = keys.reseal()
        failed = sorted(rewrapped.failed | resealed.failed)
        return {
            "rewrapped": rewrapped.changed,
            "new_data_keys": renewed,
            "resealed": resealed.changed,
            "failed": len(failed),
            "failed_rows": failed,
        }

    def shortcoming(self, result: dict[str, Any]) -> str:
        if not result["failed"]:
            return ""
        return f"{result['failed']} rows could not be opened and are as they were: {', '.join(result['failed_rows'])}"
