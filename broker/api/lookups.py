"""What the described routes look up for a caller: the foreign and the absent get one answer."""

from django.http import HttpRequest

from broker.api.hot import uuid_of
from broker.errors import ConnectionNotFound, TenantNotFound
from broker.services import policy, register
from broker.services.policy import Grant
from tenants.models import Connection, Tenant


def grant_of(request: HttpRequest) -> Grant:
    """Return what the authenticator found out."""
    grant: Grant = request.auth  # type: ignore[attr-defined]
    return grant


def tenant_of(grant: Grant, slug: str) -> Tenant:
    """Raises TenantNotFound."""
    tenant = register.tenant_by_slug(slug)
    if grant.tenant_ids is not None and tenant.id not in grant.tenant_ids:
        raise TenantNotFound(f"no tenant has the slug {slug[:64]!r}")
    return tenant


def connection_of(grant: Grant, connection_id: str, *, tenant: Tenant | None = None) -> Connection:
    """Return the connection with tenant, registration, credential and slot. Raises ConnectionNotFound."""
    alive = Connection.objects.filter(tenant__deleted_at=None)
    rows = alive.select_related("tenant", "registration", "credential", "slot")
    row = rows.for_tenants(grant.tenant_ids).filter(pk=uuid_of(connection_id)).first()
    if row is None or not policy.may_see(grant, tenant_id=row.tenant_id, provider_id=row.provider_id):
        raise policy.unseen(grant, uuid_of(connection_id))
    if tenant is not None and row.tenant_id != tenant.id:
        raise ConnectionNotFound()
    return row
