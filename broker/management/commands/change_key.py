"""manage.py change_key 4fXk2mQ9aBcD --network 10.1.0.0/16"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import enrolment


class Command(JsonCommand):
    help = "Say where an API key or a workload identity may come from, or let one that was throttled read on."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key_id", help="the third part of the key: brk_<environment>_<key id>_...; or wi:...")
        change = parser.add_mutually_exclusive_group(required=True)
        change.add_argument("--network", action="append", dest="networks", help="10.1.0.0/16; repeatable")
        change.add_argument("--any-network", action="store_const", const=[], dest="networks")
        change.add_argument("--lift-throttle", action="store_true")

    def act(self, **options: Any) -> dict[str, Any]:
        if options["lift_throttle"]:
            enrolment.lift_throttle(options["key_id"], actor=self.actor)
            return {"key_id": options["key_id"], "throttled": False}
        row = enrolment.change_networks(options["key_id"], options["networks"], actor=self.actor)
        return {"key_id": row.key_id, "networks": row.networks}
