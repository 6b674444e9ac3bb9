"""manage.py register_client PROVIDER --environment production --client-id x --client-secret-file -"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand, read_secret
from broker.services import register


class Command(JsonCommand):
    help = "Store a client registration: our standing at a provider. The secret is read from a file or stdin."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider")
        parser.add_argument("--environment", required=True)
        parser.add_argument("--client-id", required=True)
        parser.add_argument("--client-secret-file", help="a path, or - for stdin; never an argument: those are visible")
        parser.add_argument("--tenant", help="slug; without it the registration serves every tenant")
        parser.add_argument("--scope", action="append", default=[], dest="scopes")
        parser.add_argument("--redirect-key", default="", help="last segment of the redirect URI")

    def act(self, **options: Any) -> dict[str, Any]:
        file = options["client_secret_file"]
        row = register.register_client(
            options["provider"],
            environment=options["environment"],
            client_id=options["client_id"],
            client_secret=read_secret(file) if file else None,
            tenant=register.tenant_by_slug(options["tenant"]) if options["tenant"] else None,
            scopes=options["scopes"],
            redirect_key=options["redirect_key"],
            actor=self.actor,
        )
        return {
            "id": str(row.id),
            "provider": row.provider_id,
            "environment": row.environment,
            "redirect_uri": register.redirect_uri(row),
        }
