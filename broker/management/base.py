"""What the commands share: JSON output for scripts, readable lines for people, typed errors as plain sentences."""

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from broker.errors import BrokerError
from providers.messages import Secret
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError


class JsonCommand(BaseCommand):
    """A command whose `act` returns one JSON object."""

    actor: Actor = audit.staff("command line")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        self.arguments(parser)

    def arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command takes."""

    def act(self, **options: Any) -> dict[str, Any]:
        """Do it and return what to print."""
        raise CommandError("this command does nothing")

    def shortcoming(self, result: dict[str, Any]) -> str:
        """Return a sentence when what was printed is not the whole of what was asked; the exit code is 1 then."""
        return ""

    def handle(self, *_: Any, **options: Any) -> None:
        result = self._act(options)
        self._print(result, as_json=options["json"])
        if problem := self.shortcoming(result):
            raise CommandError(problem)

    def _act(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.act(**options)
        except BrokerError as error:
            raise CommandError(f"{error.detail} ({error.code})") from None
        except TenantsError as error:
            raise CommandError(str(error)) from None
        except (OperationalError, InterfaceError) as error:
            # The driver's own words name hosts and users: only its class is shown.
            kind = type(error.__cause__ or error).__name__
            raise CommandError(f"the database does not serve this now ({kind}): see DATABASE_URL") from None

    def _print(self, result: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(result, default=_plain))
            return
        width = max(map(len, result), default=0)
        for name, value in result.items():
            self.stdout.write(f"{name:{width}}  {', '.join(value) if isinstance(value, list) else value}")


def read_secret(file: str) -> Secret:
    """Return the secret that a file, or stdin for `-`, holds: arguments are seen by everybody. Raises CommandError."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--client-secret-file cannot be read: {type(error).__name__}") from None
    if not text.strip():
        raise CommandError("--client-secret-file is empty")
    return Secret(text.strip())


def parse_id(text: str) -> UUID:
    """Return the id that an argument holds. Raises CommandError."""
    try:
        return UUID(text)
    except ValueError:
        raise CommandError(f"{text[:64]!r} is not an id of the form 01234567-89ab-cdef-0123-456789abcdef") from None


def parse_end(text: str | None) -> datetime | None:
    """Return the moment that an argument names; a day is its first moment in UTC. Raises CommandError for the past."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text[:40]!r} is not a day like 2027-03-31, nor a time like 2027-03-31T12:00:00Z"
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found <= timezone.now():
        raise CommandError(f"{text[:40]} has passed")
    return found


def parse_day(text: str | None) -> date | None:
    """Return the day that an argument names. Raises CommandError."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandError(f"{(text or '')[:40]!r} is not a day like 2027-03-31") from None


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
