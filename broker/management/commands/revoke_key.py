"""manage.py revoke_key 4fXk2mQ9aBcD"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import enrolment


class Command(JsonCommand):
    help = "Refuse an API key, or a workload identity, from its next request on, on every process."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key_id", help="the third part of the key: brk_<environment>_<key id>_...; or wi:...")

    def act(self, **options: Any) -> dict[str, Any]:
        enrolment.revoke_key(options["key_id"], actor=self.actor)
        return {"key_id": options["key_id"], "revoked": True}
