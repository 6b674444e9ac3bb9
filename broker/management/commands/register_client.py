"""manage.py register_client PROVIDER --environment production --client-id x --client-secret-file -"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from broker.management.base import JsonCommand, parse_end, read_secret
from broker.services import register


class Command(JsonCommand):
    help = "Store a client registration: our standing at a provider. The secret is read from a file or stdin."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider")
        parser.add_argument("--environment", required=True)
        parser.add_argument("--client-id", required=True, help="or what the provider calls it: partner ID, application")
        parser.add_argument("--client-secret-file", help="a path, or - for stdin; never an argument: those are visible")
        parser.add_argument("--secret-expires-at", metavar="DATE", help="when the provider ends the secret, if it does")
        parser.add_argument("--tenant", help="slug; without it the registration serves every tenant")
        parser.add_argument("--scope", action="append", default=[], dest="scopes", help="repeat for several")
        parser.add_argument("--parameter", action="append", default=[], dest="parameters", metavar="NAME=VALUE")
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
            parameters=_parameters(options["parameters"]),
            redirect_key=options["redirect_key"],
            secret_expires_at=parse_end(options["secret_expires_at"]),
            actor=self.actor,
        )
        shown = {"id": str(row.id), "provider": row.provider_id, "environment": row.environment}
        uri = register.redirect_uri(row)
        return {**shown, "redirect_uri": uri} if uri else {**shown, "redirect_key": row.redirect_key}


def _parameters(given: list[str]) -> dict[str, str]:
    """Return what NAME=VALUE arguments say. Raises CommandError, which repeats no value: it may be a secret."""
    found: dict[str, str] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise CommandError("--parameter takes NAME=VALUE")
        if name in found:
            raise CommandError(f"--parameter {name[:40]} is given twice")
        found[name] = value
    return found
