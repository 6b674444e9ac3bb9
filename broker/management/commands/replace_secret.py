"""manage.py replace_secret REDIRECT_KEY --client-secret-file -"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand, read_secret
from broker.services import register


class Command(JsonCommand):
    help = "Store a new client secret for a registration, in place of the old one."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("redirect_key", help="the last segment of the registration's redirect URI")
        parser.add_argument("--client-secret-file", required=True, help="a path, or - for stdin")

    def act(self, **options: Any) -> dict[str, Any]:
        row = register.registration_by_redirect_key(options["redirect_key"])
        register.replace_secrets(row, [read_secret(options["client_secret_file"])], actor=self.actor)
        return {"id": str(row.id), "provider": row.provider_id, "environment": row.environment, "replaced": True}
