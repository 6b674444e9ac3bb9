"""What there is for a caller: connections in pages, tenants, providers."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from broker.services import directory
from broker.services.policy import Grant
from tenants.models import ClientRegistration, Tenant
from tenants.querysets import connection_pages
from tenants.querysets.connection_pages import Listed, Wanted
from tenants.querysets.keyset import Place


def connections(
    grant: Grant, limit: int, *, tenant: str = "", provider: str = "", state: str = "", after: Place | None = None
) -> tuple[Sequence[Listed], bool]:
    """Return at most so many, newest first; and whether there are more. Effects: one query."""
    wanted = Wanted(
        tenant_ids=grant.tenant_ids,
        providers=grant.providers,
        tenant=tenant,
        provider=provider,
        state=state,
        after=after,
    )
    found = connection_pages.page(wanted, limit + 1)
    return found[:limit], len(found) > limit


def tenants(grant: Grant) -> QuerySet[Tenant]:
    """Return the tenants that this caller may see."""
    rows = Tenant.objects.filter(deleted_at=None)
    return rows if grant.tenant_ids is None else rows.filter(pk__in=grant.tenant_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProvider:
    """A provider for a caller. Shape: scopes are names with descriptions."""

    id: str
    name: str
    capabilities: tuple[str, ...]
    scopes: tuple[tuple[str, str], ...]
    available: bool


def providers(grant: Grant) -> list[ListedProvider]:
    """Return the providers that this caller may see, by name. Effects: one query."""
    served = _served(grant)
    definitions = directory.registry().definitions()
    seen = [each for each in definitions.values() if not grant.providers or each.id in grant.providers]
    return [
        ListedProvider(
            id=each.id,
            name=each.display_name,
            capabilities=directory.provider(each.id).capabilities,
            scopes=tuple((scope.name, scope.description) for scope in each.scopes_supported),
            available=each.id in served,
        )
        for each in sorted(seen, key=lambda each: (each.display_name, each.id))
    ]


def _served(grant: Grant) -> set[str]:
    rows = ClientRegistration.objects.filter(disabled_at=None)
    if grant.tenant_ids is not None:
        rows = rows.filter(Q(tenant=None) | Q(tenant__in=grant.tenant_ids))
    return set(rows.values_list("provider_id", flat=True))
