"""manage.py export_audit --tenant SLUG [--from DAY] [--to DAY] [--reads] --output FILE"""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from django.core.management.base import CommandError

from broker.management.base import JsonCommand, parse_day
from broker.services import audit_export
from broker.services.audit_export import Wanted
from tenants.querysets.rows import database_now


class Command(JsonCommand):
    help = "Write a tenant's audit log as JSON lines, the last one signed. The export is recorded in it."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="slug; of a deleted tenant the id")
        parser.add_argument("--from", dest="start", help="events from this day on, UTC")
        parser.add_argument("--to", dest="end", help="events up to this day, itself included")
        parser.add_argument("--reads", action="store_true", help="with who read which connection's token, by hour")
        parser.add_argument("--output", required=True, help="a file that does not exist yet, or - for stdout")

    def act(self, **options: Any) -> dict[str, Any]:
        wanted = Wanted(
            tenant_id=audit_export.tenant_id_of(options["tenant"]),
            start=parse_day(options["start"]),
            end=parse_day(options["end"]),
            reads=options["reads"],
        )
        if options["output"] == "-" and options["json"]:
            raise CommandError("--json and --output - do not go together: the lines are JSON as they are")
        lines = 0
        with _opened(options["output"]) as file:
            for line in audit_export.export(wanted, actor=self.actor, now=database_now()):
                file.write(line)
                lines += 1
        return {"file": options["output"], "lines": lines} if options["output"] != "-" else {}


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdout
        return
    try:
        # For nobody else to read, and never over something that is there.
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"--output cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        yield file
