"""manage.py connect_link acme PROVIDER"""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from broker.errors import ConnectionNotFound
from broker.management.base import JsonCommand, parse_id
from broker.services import register, sessions
from tenants.models import Connection, Tenant


class Command(JsonCommand):
    help = "Make a link with which a customer connects, or repairs a connection."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant")
        parser.add_argument("provider")
        parser.add_argument("--return-url", default="")
        parser.add_argument("--locale", default="")
        parser.add_argument("--connection", default="", help="the id of a connection to repair")

    def act(self, **options: Any) -> dict[str, Any]:
        tenant = register.tenant_by_slug(options["tenant"])
        link = sessions.create(
            tenant,
            [options["provider"]],
            return_url=options["return_url"],
            locale=options["locale"],
            connection=_connection(tenant, parse_id(options["connection"])) if options["connection"] else None,
            actor=self.actor,
        )
        return {
            "id": str(link.session.id),
            "url": link.url,
            "expires_at": link.session.expires_at.isoformat(),
        }


def _connection(tenant: Tenant, connection_id: UUID) -> Connection:
    row = Connection.objects.for_tenant(tenant.id).filter(pk=connection_id).first()
    if row is None:
        raise ConnectionNotFound()
    return row
