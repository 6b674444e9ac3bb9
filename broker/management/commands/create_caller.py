"""manage.py create_caller invoicing --tenant acme --operation token.read"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import register


class Command(JsonCommand):
    help = "Create a caller, an internal service, and show its API key: this once."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        served = parser.add_mutually_exclusive_group(required=True)
        served.add_argument("--tenant", action="append", dest="tenants", help="slug; may be repeated")
        served.add_argument("--all-tenants", action="store_true")
        parser.add_argument("--provider", action="append", default=[], dest="providers")
        parser.add_argument("--operation", action="append", required=True, dest="operations")
        parser.add_argument("--expires-days", type=int, default=180)

    def act(self, **options: Any) -> dict[str, Any]:
        slugs = None if options["all_tenants"] else options["tenants"]
        caller, row, key = register.create_caller(
            options["name"],
            tenants=None if slugs is None else [register.tenant_by_slug(slug) for slug in slugs],
            providers=options["providers"],
            operations=options["operations"],
            expires_days=options["expires_days"],
            actor=self.actor,
        )
        return {
            "id": str(caller.id),
            "name": caller.name,
            "api_key": key,
            "expires_at": row.expires_at.isoformat(),
        }
