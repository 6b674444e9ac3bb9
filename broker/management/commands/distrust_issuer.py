"""manage.py distrust_issuer cluster"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import issuers


class Command(JsonCommand):
    help = "Refuse an issuer's tokens, on every process within seconds; trust_issuer takes it back."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what it is called here")

    def act(self, **options: Any) -> dict[str, Any]:
        issuers.distrust(options["name"], actor=self.actor)
        return {"name": options["name"], "trusted": False}
