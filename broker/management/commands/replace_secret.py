"""manage.py replace_secret REDIRECT_KEY --client-secret-file - --keep-old"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from broker.management.base import JsonCommand, parse_end, read_secret
from broker.services import register, secret_rotation


class Command(JsonCommand):
    help = "Store a new client secret for a registration, in place of the old one or beside it; or drop the old one."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("redirect_key", help="the last segment of the registration's redirect URI")
        parser.add_argument("--client-secret-file", help="a path, or - for stdin")
        parser.add_argument("--secret-expires-at", metavar="DATE", help="when the provider ends it, if it does")
        parser.add_argument("--keep-old", action="store_true", help="go on with the old one where the new is refused")
        parser.add_argument("--drop-old", action="store_true", help="forget the old one, and take no new one")

    def act(self, **options: Any) -> dict[str, Any]:
        file = options["client_secret_file"]
        if bool(file) == options["drop_old"] or (options["keep_old"] and options["drop_old"]):
            raise CommandError("give --client-secret-file, with or without --keep-old, or else --drop-old")
        row = register.registration_by_redirect_key(options["redirect_key"])
        shown = {"id": str(row.id), "provider": row.provider_id, "environment": row.environment}
        if options["drop_old"]:
            secret_rotation.drop_old(row, actor=self.actor)
            return {**shown, "dropped": True}
        ends, secret = parse_end(options["secret_expires_at"]), read_secret(file)
        secret_rotation.replace(row, secret, keep_old=options["keep_old"], expires_at=ends, actor=self.actor)
        return {**shown, "replaced": True, "kept_old": options["keep_old"]}
