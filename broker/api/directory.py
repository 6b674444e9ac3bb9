"""What there is for a caller: tenants by name, and providers with what they can do."""

from django.http import HttpRequest
from ninja import Router

from broker.api import paging
from broker.api.authentication import ApiKeyAuth
from broker.api.describing import DIRECTORY, described
from broker.api.lookups import grant_of
from broker.api.schemas import ProviderList, ProviderOut, ScopeOut, TenantOut, TenantPage
from broker.services import listing
from tenants.models import Operation

router = Router(tags=[DIRECTORY])


@router.get(
    "/tenants",
    response={200: TenantPage},
    auth=ApiKeyAuth(Operation.CONNECTION_READ),
    operation_id="listTenants",
    summary="Tenants, newest first",
    description="The customers that this caller may see, by the slugs that other routes name them with.",
    openapi_extra=described(),
)
def list_tenants(request: HttpRequest, cursor: paging.Cursor = "", limit: paging.Limit = 50) -> TenantPage:
    found, next_cursor = paging.page(listing.tenants(grant_of(request)), cursor, limit)
    items = [TenantOut(slug=row.slug, name=row.name, locale=row.locale, created_at=row.created_at) for row in found]
    return TenantPage(items=items, next_cursor=next_cursor)


@router.get(
    "/providers",
    response={200: ProviderList},
    auth=ApiKeyAuth(Operation.CONNECTION_READ),
    operation_id="listProviders",
    summary="Providers, by name",
    description="Those that this caller may see: what each can do, which scopes it has, and whether a customer of the "
    "caller's could connect there.",
    openapi_extra=described(),
)
def list_providers(request: HttpRequest) -> ProviderList:
    items = [
        ProviderOut(
            id=each.id,
            name=each.name,
            capabilities=list(each.capabilities),
            scopes=[ScopeOut(name=name, description=description) for name, description in each.scopes],
            available=each.available,
        )
        for each in listing.providers(grant_of(request))
    ]
    return ProviderList(items=items)
