"""manage.py create_caller invoicing --tenant acme --operation token.read"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import enrolment, register
from broker.services.enrolment import Rights

_AS_GIVEN = ("operations", "providers", "rate_per_minute", "connections_per_hour", "purpose")


class Command(JsonCommand):
    help = "Create a caller, an internal service, and show its API key: this once."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        served = parser.add_mutually_exclusive_group(required=True)
        served.add_argument("--tenant", action="append", dest="tenants", help="slug; may be repeated")
        served.add_argument("--all-tenants", action="store_true")
        parser.add_argument("--provider", action="append", default=[], dest="providers")
        parser.add_argument("--operation", action="append", required=True, dest="operations")
        parser.add_argument("--rate-per-minute", type=int, default=0)
        parser.add_argument("--connections-per-hour", type=int, default=0)
        parser.add_argument("--purpose", default="", help="what it reads tokens for, in a few words")
        parser.add_argument("--expires-days", type=int, help="API_KEY_MAX_DAYS without")
        parser.add_argument("--network", action="append", default=[], dest="networks", help="10.1.0.0/16; repeatable")
        parser.add_argument("--without-key", action="store_true", help="it comes by workload identity alone")

    def act(self, **options: Any) -> dict[str, Any]:
        slugs = None if options["all_tenants"] else options["tenants"]
        rights = {
            "tenants": None if slugs is None else [register.tenant_by_slug(slug) for slug in slugs],
            **{name: options[name] for name in _AS_GIVEN},
        }
        if options["without_key"]:
            made = enrolment.create_caller_without_key(options["name"], Rights(**rights), actor=self.actor)
            return {"id": str(made.id), "name": made.name}
        caller, row, key = enrolment.create_caller(
            options["name"],
            **rights,
            expires_days=options["expires_days"],
            source_networks=options["networks"],
            actor=self.actor,
        )
        return {"id": str(caller.id), "name": caller.name, "api_key": key, "expires_at": row.expires_at.isoformat()}
