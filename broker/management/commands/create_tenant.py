"""manage.py create_tenant acme --name "Acme Oy" --return-url https://app.acme.example/connected"""

from argparse import ArgumentParser
from typing import Any

from broker.management.base import JsonCommand
from broker.services import register


class Command(JsonCommand):
    help = "Create a tenant: a customer organisation."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--locale", default="en")
        parser.add_argument("--return-url", action="append", default=[], dest="return_urls")

    def act(self, **options: Any) -> dict[str, Any]:
        tenant = register.create_tenant(
            options["slug"],
            name=options["name"],
            locale=options["locale"],
            return_urls=options["return_urls"],
            actor=self.actor,
        )
        return {"id": str(tenant.id), "slug": tenant.slug}
