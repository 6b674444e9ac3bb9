"""manage.py verify_audit [--from DAY] [--to DAY] [--expect DIGEST] [--export FILE]"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from broker.management.base import JsonCommand, parse_day
from broker.services import audit_check, audit_export
from tenants.querysets.rows import database_now


class Command(JsonCommand):
    help = "Check that nobody has changed, added or deleted rows of the audit log since their day was closed."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="start", help="read the rows of days from this one on (default: all days)")
        parser.add_argument("--to", dest="end", help="read the rows of days up to this one, itself included")
        parser.add_argument("--expect", default="", help="a digest that this command printed earlier, kept elsewhere")
        parser.add_argument("--export", help="check this file of export_audit instead")

    def act(self, **options: Any) -> dict[str, Any]:
        if options["export"]:
            return {"export": options["export"], "problems": _of_export(options["export"])}
        days = {"start": parse_day(options["start"]), "end": parse_day(options["end"])}
        found = audit_check.check(database_now(), **days, expected=options["expect"])
        return {
            "days": found.days,
            "events": found.events,
            "reads": found.reads,
            "head_day": found.head_day.isoformat() if found.head_day else None,
            "head": found.head,
            "reads_deleted_before": found.reads_deleted_before.isoformat() if found.reads_deleted_before else None,
            "problems": found.problems,
        }

    def shortcoming(self, result: dict[str, Any]) -> str:
        problems = result["problems"]
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        what = "the export" if "export" in result else "the audit log"
        made = "made" if "export" in result else "closed"
        return f"{what} is not as it was {made}: {problems[0]}{more}" if problems else ""


def _of_export(name: str) -> list[str]:
    try:
        with Path(name).open(encoding="utf-8", newline="\n") as file:
            problem = audit_export.problem_of(file)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--export cannot be read: {type(error).__name__}") from None
    return [problem] if problem else []
