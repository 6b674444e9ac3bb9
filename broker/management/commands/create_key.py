"""manage.py create_key invoicing"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import register


class Command(JsonCommand):
    help = "Give a caller one more API key, shown this once: use it, then revoke the old one."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("caller", help="its name")
        parser.add_argument("--expires-days", type=int, default=180)

    def act(self, **options: Any) -> dict[str, Any]:
        row, key = register.create_key(options["caller"], expires_days=options["expires_days"], actor=self.actor)
        return {"key_id": row.key_id, "api_key": key, "expires_at": row.expires_at.isoformat()}
