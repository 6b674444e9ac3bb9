"""manage.py add_workload invoicing --issuer cluster --subject system:serviceaccount:billing:invoicing"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import enrolment


class Command(JsonCommand):
    help = "Let a workload come in as a caller by the tokens of a trusted issuer."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("caller", help="its name")
        parser.add_argument("--issuer", required=True, help="the name that trust_issuer gave it")
        parser.add_argument("--subject", required=True, help="the `sub` of the workload's tokens, letter by letter")
        parser.add_argument("--network", action="append", default=[], dest="networks", help="10.1.0.0/16; repeatable")

    def act(self, **options: Any) -> dict[str, Any]:
        row = enrolment.add_workload(
            options["caller"],
            issuer=options["issuer"],
            subject=options["subject"],
            source_networks=options["networks"],
            actor=self.actor,
        )
        return {"key_id": row.key_id, "caller": options["caller"], "subject": row.subject}
