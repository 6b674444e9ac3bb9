"""manage.py register_client PROVIDER --environment production --client-id x --client-secret-file -"""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from broker.management.base import JsonCommand
from broker.services import register
from providers.messages import Secret


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
        row = register.register_client(
            options["provider"],
            environment=options["environment"],
            client_id=options["client_id"],
            client_secret=_secret(options["client_secret_file"]),
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


def _secret(file: str | None) -> Secret | None:
    if file is None:
        return None
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--client-secret-file cannot be read: {type(error).__name__}") from None
    if not text.strip():
        raise CommandError("--client-secret-file is empty")
    return Secret(text.strip())
