"""Connections: the list, the page of one, and the verbs on both."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from broker.admin import connection_page, press, refusals, words
from broker.admin.base import ViewOnlyAdmin
from broker.admin.filters import EndingFilter, ProviderFilter, ReasonFilter, StateFilter, TenantFilter, uuid_or_none
from broker.admin.parked_verbs import PARKED_VERBS
from broker.admin.support_desk import desk
from broker.admin.verbs import VERBS
from broker.services.plain_words import REASON_WORDS
from tenants.models import Connection, Tenant


@admin.register(Connection, site=desk)
class ConnectionAdmin(ViewOnlyAdmin[Connection]):
    """Support's main page."""

    list_display = ("account", "standing", "tenant_name", "provider", "since", "token_ends", "renews")
    list_display_links = ("account",)
    list_filter = (TenantFilter, ProviderFilter, StateFilter, ReasonFilter, EndingFilter)
    search_fields = ("external_name", "external_subject", "label")
    search_help_text = "Tenant, account name or number, label, connection id, or the provider's reference for an error."
    ordering = ("-created_at", "-id")
    actions = tuple(VERBS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        """With the two dates of other tables and nothing else of them: sealed columns are not read."""
        rows = super().get_queryset(request).select_related("tenant")
        return rows.annotate(token_expires_at=F("credential__expires_at"), renewal_due_at=F("slot__due_at"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Connection], search_term: str
    ) -> tuple[QuerySet[Connection], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = uuid_or_none(term)
        if wanted is not None:
            ids = Q(pk=wanted) | Q(tenant_id=wanted)
            return queryset.filter(ids | Q(pk__in=refusals.connections_of(term))), False
        tenants = Tenant.objects.filter(Q(slug__icontains=term) | Q(name__icontains=term)).order_by().values("pk")
        ours = Q(tenant_id__in=tenants) | Q(label__icontains=term)
        theirs = Q(external_name__icontains=term) | Q(external_subject__istartswith=term)
        return queryset.filter(ours | theirs | Q(pk__in=refusals.connections_of(term))), False

    @admin.display(description="Account")
    def account(self, row: Connection) -> str:
        name = words.name_of(row)
        return f"{name} ({row.label})" if row.label and row.label != name else name

    @admin.display(description="Tenant", ordering="tenant__slug")
    def tenant_name(self, row: Connection) -> Any:
        return words.with_small_print(row.tenant.name, row.tenant.slug)

    @admin.display(description="Provider", ordering="provider_id")
    def provider(self, row: Connection) -> Any:
        return words.provider_with_its_end(row.provider_id)

    @admin.display(description="State", ordering="state")
    def standing(self, row: Connection) -> Any:
        return words.with_small_print(words.badge(row.state), REASON_WORDS.get(row.reason, row.reason))

    @admin.display(description="Since", ordering="state_changed_at")
    def since(self, row: Connection) -> Any:
        return words.moment(row.state_changed_at)

    @admin.display(description="Token ends")
    def token_ends(self, row: Any) -> Any:
        return words.moment(row.token_expires_at)

    @admin.display(description="Next renewal")
    def renews(self, row: Any) -> Any:
        return words.moment(row.renewal_due_at)

    # -- rights: one for each verb; Django's actions ask for has_<name>_permission ---------------------------------
    def has_renew_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.renew_connection")

    def has_repair_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.repair_connection")

    def has_disconnect_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.disconnect_connection")

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.suspend_connection")

    @admin.action(description="Renew now", permissions=["renew"])
    def renew(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse | None:
        return press.on_list(request, VERBS["renew"], queryset)

    @admin.action(description="Make repair links", permissions=["repair"])
    def repair(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse | None:
        return press.on_list(request, VERBS["repair"], queryset)

    @admin.action(description="Suspend", permissions=["suspend"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse | None:
        return press.on_list(request, VERBS["suspend"], queryset)

    @admin.action(description="Resume", permissions=["suspend"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse | None:
        return press.on_list(request, VERBS["resume"], queryset)

    @admin.action(description="Disconnect", permissions=["disconnect"])
    def disconnect(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse | None:
        return press.on_list(request, VERBS["disconnect"], queryset)

    # -- pages -----------------------------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        press_view = self.admin_site.admin_view(self.press_view)
        return [path("<uuid:pk>/do/<slug:name>/", press_view, name="tenants_connection_do"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one connection. Effects: one audit event a visit."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        connection = self._connection(request, uuid_or_none(object_id))
        connection_page.note_view(request, connection)
        context = {
            **self.admin_site.each_context(request),
            **connection_page.context(request, connection),
            "opts": self.opts,
            "title": words.name_of(connection),
        }
        return TemplateResponse(request, "admin/tenants/connection/page.html", context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A connection's history is the timeline on its page."""
        return HttpResponseRedirect(words.connection_url(self._connection(request, uuid_or_none(object_id)).pk))

    def press_view(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        """One pressed button of a connection's page."""
        verb = VERBS.get(name) or PARKED_VERBS.get(name)
        if verb is None:
            raise Http404("there is no such action")
        if not request.user.has_perm(f"tenants.{verb.permission}_connection"):
            raise PermissionDenied
        connection = self._connection(request, pk)
        return (
            press.on_page(request, verb, connection) if request.method == "POST" else HttpResponseNotAllowed(["POST"])
        )

    def _connection(self, request: HttpRequest, pk: UUID | None) -> Connection:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Connection.objects.select_related("tenant", "registration").defer("registration__sealed_secrets")
        found = rows.filter(pk=pk).first() if pk else None
        if found is None:
            raise Http404("there is no such connection")
        return found
