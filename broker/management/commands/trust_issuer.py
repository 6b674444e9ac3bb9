"""manage.py trust_issuer cluster --issuer https://kubernetes.default.svc --audience broker --jwks-file jwks.json"""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from broker.management.base import JsonCommand
from broker.services import issuers


class Command(JsonCommand):
    help = "Trust an issuer of workload tokens on these terms; run again with the same name, it changes them."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what it is called here")
        parser.add_argument("--issuer", required=True, help="the `iss` of its tokens, letter by letter")
        parser.add_argument("--audience", required=True, help="what `aud` must hold: this broker's name there")
        parser.add_argument("--algorithm", action="append", dest="algorithms", help="may be repeated; RS256 without")
        keys = parser.add_mutually_exclusive_group(required=True)
        keys.add_argument("--jwks-uri", default="", help="where it publishes its keys")
        keys.add_argument("--jwks-file", default="", help="its keys themselves, `-` for stdin")
        parser.add_argument("--max-life-seconds", type=int, default=3600, help="tokens that live longer are refused")

    def act(self, **options: Any) -> dict[str, Any]:
        row = issuers.trust(
            options["name"],
            issuer=options["issuer"],
            audience=options["audience"],
            algorithms=options["algorithms"] or ["RS256"],
            jwks_uri=options["jwks_uri"],
            jwks=_text(options["jwks_file"]) if options["jwks_file"] else "",
            max_life_seconds=options["max_life_seconds"],
            actor=self.actor,
        )
        return {"id": str(row.id), "name": row.name, "issuer": row.issuer, "algorithms": row.algorithms}


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--jwks-file cannot be read: {type(error).__name__}") from None
