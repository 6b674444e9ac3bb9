"""manage.py create_key invoicing"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import enrolment


class Command(JsonCommand):
    help = "Give a caller a second API key, shown this once: use it, then revoke the old one."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("caller", help="its name")
        parser.add_argument("--expires-days", type=int, help="API_KEY_MAX_DAYS without")
        parser.add_argument("--network", action="append", default=[], dest="networks", help="10.1.0.0/16; repeatable")

    def act(self, **options: Any) -> dict[str, Any]:
        row, key = enrolment.create_key(
            options["caller"],
            expires_days=options["expires_days"],
            source_networks=options["networks"],
            actor=self.actor,
        )
        return {"key_id": row.key_id, "api_key": key, "expires_at": row.expires_at.isoformat()}
