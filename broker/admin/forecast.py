"""Ends to come: what somebody has to see to before it stops working, the next first."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest

from broker.admin import words
from broker.admin.base import ViewOnlyAdmin
from broker.admin.filters import EndFilter, ProviderFilter, TenantFilter
from broker.admin.support_desk import desk
from broker.services import forecast
from broker.services.plain_words import END_WORDS
from tenants.models import ClientRegistration, Connection, ExpiryNotice, Tenant


@admin.register(ExpiryNotice, site=desk)
class ExpiryNoticeAdmin(ViewOnlyAdmin[ExpiryNotice]):
    """What was told and still holds; whoever sees connections sees it."""

    list_display = ("ends", "what", "of", "tenant", "provider", "told")
    list_display_links = None
    list_filter = (EndFilter, ProviderFilter, TenantFilter)
    ordering = ("ends_at", "pk")
    fields = ("ends", "what", "of", "tenant", "provider", "told")

    def has_view_permission(self, request: HttpRequest, obj: ExpiryNotice | None = None) -> bool:
        return bool(request.user.has_perm("tenants.view_connection"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExpiryNotice]:
        """The notice holds plain ids, so names are looked up beside it."""
        tenants = Tenant.objects.filter(pk=OuterRef("tenant_id")).order_by().values("name")
        named = Coalesce(NullIf("external_name", Value("")), NullIf("label", Value("")), Value(""))
        connections = Connection.objects.filter(pk=OuterRef("subject_id")).order_by().values(name=named)
        registrations = ClientRegistration.objects.filter(pk=OuterRef("subject_id")).order_by().values("client_id")
        return forecast.ends_to_come().annotate(
            name_of_tenant=Subquery(tenants),
            name_of_connection=Subquery(connections),
            name_of_registration=Subquery(registrations),
        )

    @admin.display(description="Ends", ordering="ends_at")
    def ends(self, row: ExpiryNotice) -> Any:
        return words.day(row.ends_at)

    @admin.display(description="What ends")
    def what(self, row: ExpiryNotice) -> Any:
        return words.with_small_print(*END_WORDS[row.kind])

    @admin.display(description="Tenant")
    def tenant(self, row: Any) -> str:
        return row.name_of_tenant or "all tenants"

    @admin.display(description="Provider", ordering="provider_id")
    def provider(self, row: ExpiryNotice) -> str:
        return words.provider_name(row.provider_id)

    @admin.display(description="Where")
    def of(self, row: Any) -> Any:
        if row.kind == ExpiryNotice.Kind.CLIENT_SECRET:
            return words.registration_link(row.subject_id, row.name_of_registration)
        return words.connection_link(row.subject_id, row.name_of_connection or str(row.subject_id)[:8])

    @admin.display(description="Told")
    def told(self, row: ExpiryNotice) -> Any:
        return words.moment(row.created_at)
