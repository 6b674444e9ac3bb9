"""manage.py change_caller invoicing --operation token.read"""

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from broker.management.base import JsonCommand
from broker.services import enrolment, register

_AS_GIVEN = ("operations", "providers", "rate_per_minute", "connections_per_hour", "active", "purpose")


class Command(JsonCommand):
    help = "Change what a caller may do: each list that is named replaces the old one, what is not named stays."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        served = parser.add_mutually_exclusive_group()
        served.add_argument("--tenant", action="append", dest="tenants", help="slug; may be repeated")
        served.add_argument("--all-tenants", action="store_true")
        reached = parser.add_mutually_exclusive_group()
        reached.add_argument("--provider", action="append", dest="providers", help="may be repeated")
        reached.add_argument("--all-providers", action="store_const", const=[], dest="providers")
        parser.add_argument("--operation", action="append", dest="operations", help="may be repeated")
        parser.add_argument("--rate-per-minute", type=int)
        parser.add_argument("--connections-per-hour", type=int)
        parser.add_argument("--purpose", help="what it reads tokens for, in a few words")
        standing = parser.add_mutually_exclusive_group()
        standing.add_argument(
            "--stop", action="store_const", const=False, dest="active", help="refuse all its requests"
        )
        standing.add_argument("--resume", action="store_const", const=True, dest="active")

    def act(self, **options: Any) -> dict[str, Any]:
        given = {name: options[name] for name in _AS_GIVEN if options[name] is not None}
        if options["all_tenants"]:
            given["tenants"] = None
        elif options["tenants"]:
            given["tenants"] = [register.tenant_by_slug(slug) for slug in options["tenants"]]
        rights = replace(enrolment.rights_of(options["name"]), **given)
        caller = enrolment.change_caller(options["name"], rights, actor=self.actor)
        return {"name": caller.name, **enrolment.standing(caller)}
