"""manage.py delete_tenant acme --yes"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from broker.management.base import JsonCommand
from broker.services import register, tenant_end
from tenants.models import Tenant


class Command(JsonCommand):
    help = (
        "Delete a tenant: nothing of it is served from now on, its connections end, its providers are told. Its rows "
        "and keys are destroyed when they have been, by the broker's beat; run it again to see what is left."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--yes", action="store_true", help="do not ask for the slug once more")

    def act(self, **options: Any) -> dict[str, Any]:
        slug = options["slug"]
        tenant = Tenant.objects.filter(slug=slug).first() or register.tenant_by_slug(slug)
        if not options["yes"] and not self._confirmed(tenant):
            raise CommandError("that is not the slug; nothing was done")
        tenant_end.begin(tenant, actor=self.actor)
        ended = 0
        while some := tenant_end.end_connections(tenant, limit=100):
            ended += some
        tenant_end.go_on()
        left = tenant_end.remaining(tenant)
        return {
            "slug": slug,
            "connections_ended": ended,
            "revocations_waiting": left.revocations,
            "deleted": not Tenant.objects.filter(pk=tenant.pk).exists(),
        }

    def _confirmed(self, tenant: Tenant) -> bool:
        left = tenant_end.remaining(tenant)
        # Not where the one JSON object goes.
        self.stderr.write(f"{tenant.name} has {left.connections} connections. They end, and it cannot be undone.")
        self.stderr.write("Type the slug again to delete the tenant:")
        try:
            return input().strip() == tenant.slug
        except EOFError:
            return False
