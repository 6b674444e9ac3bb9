"""Tokens that no connection holds: which there are, whose, and what becomes of them. Nothing sealed is read."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest

from broker.admin import words
from broker.admin.base import ViewOnlyAdmin
from broker.admin.filters import ChoiceFilter, Choices, TenantFilter
from broker.admin.support_desk import desk
from tenants.models import Connection, CredentialOrphan, Tenant

_O = CredentialOrphan.Outcome
# What becomes of each; the runbook's section "Tokens that nobody holds" has the reasons.
OUTCOMES: dict[str, tuple[str, str]] = {
    _O.HELD: ("Held", "May be the ones that work: kept until the connection has been renewed since, a day at least."),
    _O.PARKED: ("Waits", "Of another company: the connection's page says whose, and has the buttons."),
    _O.REVOKE: ("To be revoked", "The provider is told for seven days."),
    _O.REVOKED: ("Revoked", "The provider knows."),
    _O.GIVEN_UP: ("Given up", "The provider could not be told within seven days; they end by themselves."),
    _O.SUPERSEDED: ("Let go", "The connection has been renewed with others since."),
}


class OutcomeFilter(ChoiceFilter):
    title, parameter_name, column = "outcome", "outcome", "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(str(outcome), text) for outcome, (text, _) in OUTCOMES.items()]


@admin.register(CredentialOrphan, site=desk)
class CredentialOrphanAdmin(ViewOnlyAdmin[CredentialOrphan]):
    """The newest first; whoever sees connections sees it."""

    list_display = ("since", "what", "of", "tenant", "version")
    list_display_links = None
    list_filter = (OutcomeFilter, TenantFilter)
    ordering = ("-pk",)
    fields = ("since", "what", "of", "tenant", "version")

    def has_view_permission(self, request: HttpRequest, obj: CredentialOrphan | None = None) -> bool:
        return bool(request.user.has_perm("tenants.view_connection"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CredentialOrphan]:
        """The row holds plain ids, so names are looked up beside it."""
        tenants = Tenant.objects.filter(pk=OuterRef("tenant_id")).order_by().values("name")
        named = Coalesce(NullIf("external_name", Value("")), NullIf("label", Value("")), Value(""))
        connections = Connection.objects.filter(pk=OuterRef("connection_id")).order_by().values(name=named)
        rows = super().get_queryset(request).defer("sealed", "account")
        return rows.annotate(name_of_tenant=Subquery(tenants), name_of_connection=Subquery(connections))

    @admin.display(description="Since")
    def since(self, row: CredentialOrphan) -> Any:
        return words.moment(row.created_at)

    @admin.display(description="What becomes of them")
    def what(self, row: CredentialOrphan) -> Any:
        return words.with_small_print(*OUTCOMES[row.outcome])

    @admin.display(description="Connection")
    def of(self, row: Any) -> Any:
        return words.connection_link(row.connection_id, row.name_of_connection or str(row.connection_id)[:8])

    @admin.display(description="Tenant")
    def tenant(self, row: Any) -> str:
        return row.name_of_tenant or ""

    @admin.display(description="Version")
    def version(self, row: CredentialOrphan) -> int:
        """The fence of whoever brought them: the timeline's events about them name it."""
        return row.fence
