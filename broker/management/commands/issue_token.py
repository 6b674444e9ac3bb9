"""manage.py issue_token CONNECTION_ID"""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from broker.management.base import JsonCommand, parse_id
from broker.services import issue


class Command(JsonCommand):
    help = "Print a valid access token of a connection. The reading is recorded in its timeline."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connection", help="the id of a connection")
        parser.add_argument("--min-ttl", type=int, default=60)

    def act(self, **options: Any) -> dict[str, Any]:
        connection_id, min_ttl = parse_id(options["connection"]), options["min_ttl"]
        if not 0 <= min_ttl <= settings.TOKEN_MAX_MIN_TTL_SECONDS:
            raise CommandError(f"--min-ttl is from 0 to {settings.TOKEN_MAX_MIN_TTL_SECONDS} seconds")
        token = issue.issue_to_operator(connection_id, min_ttl=min_ttl, actor=self.actor)
        return token.as_json()
