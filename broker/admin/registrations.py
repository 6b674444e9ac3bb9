"""Client registrations: to look at, but for the day on which a secret ends. Secrets are entered by commands only."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from broker.admin import base, catalogue_facts, gate_facts, words
from broker.admin.base import EditableAdmin
from broker.admin.filters import EndingFilter, IncidentFilter, ProviderFilter, TenantFilter
from broker.admin.support_desk import desk
from broker.services import register, trying
from tenants.models import ClientRegistration

# What is tried is a connection's renewal.
_TRY = "tenants.renew_connection"


class RegistrationForm(forms.ModelForm):  # type: ignore[type-arg]
    """The one thing that is not entered by a command."""

    class Meta:
        labels: ClassVar = {"secret_expires_at": "Client secret ends"}


@admin.register(ClientRegistration, site=desk)
class ClientRegistrationAdmin(EditableAdmin[ClientRegistration]):
    """Our standing at providers."""

    form = RegistrationForm
    audited_as = "registration"
    list_display = ("client_id", "provider", "environment", "owner", "standing")
    list_select_related = ("tenant",)
    list_filter = (IncidentFilter, ProviderFilter, EndingFilter, TenantFilter)
    search_fields = ("client_id", "redirect_key")
    fields = (
        "provider",
        "environment",
        "client_id",
        "called",
        "owner",
        "standing",
        "renewals",
        "redirect_uri",
        "asked",
        "labelled",
        "authentication",
        "secret_expires_at",
        "created",
    )
    readonly_fields = tuple(name for name in fields if name != "secret_expires_at")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context["original"]
        ending = catalogue_facts.ending(row.provider_id) if row else ""
        may_try = row is not None and gate_facts.may_be_tried(row) and request.user.has_perm(_TRY)
        return super().render_change_form(request, {**context, "ending": ending, "may_try": may_try}, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        try_view = self.admin_site.admin_view(self.try_view)
        return [path("<uuid:pk>/try/", try_view, name="tenants_clientregistration_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The pressed button: one renewal goes through a gate that is not closed."""
        if not (self.has_view_permission(request) and request.user.has_perm(_TRY)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = get_object_or_404(ClientRegistration.objects.defer("sealed_secrets"), pk=pk)
        level, said = gate_facts.TRIED[trying.try_now(row, actor=base.staff(request))]
        messages.add_message(request, level, said)
        return HttpResponseRedirect(reverse("admin:tenants_clientregistration_change", args=[pk]))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClientRegistration]:
        return super().get_queryset(request).defer("sealed_secrets")

    @admin.display(description="Provider", ordering="provider_id")
    def provider(self, row: ClientRegistration) -> Any:
        return words.provider_with_its_end(row.provider_id)

    @admin.display(description="Called by the provider")
    def called(self, row: ClientRegistration) -> str:
        return catalogue_facts.own_word(row.provider_id, "client_id") or "client id"

    @admin.display(description="Used by")
    def owner(self, row: ClientRegistration) -> str:
        return row.tenant.name if row.tenant else "all tenants"

    @admin.display(description="Standing")
    def standing(self, row: ClientRegistration) -> Any:
        if row.disabled_at:
            return words.label("disconnected", f"disabled since {words.exact(row.disabled_at)}")
        if row.incident_since:
            refused = words.label("reauthorization_required", "refused by the provider")
            said = f"{gate_facts.incident(row)} since {words.exact(row.incident_since)}"
            return words.with_small_print(refused, said)
        return words.label("connected", "accepted")

    @admin.display(description="Renewals")
    def renewals(self, row: ClientRegistration) -> Any:
        return gate_facts.standing(row)

    @admin.display(description="Redirect URI")
    def redirect_uri(self, row: ClientRegistration) -> str:
        if not catalogue_facts.has_sign_in(row.provider_id):
            return "not used: nobody signs in at this provider"
        return register.redirect_uri(row)

    @admin.display(description="Scopes")
    def asked(self, row: ClientRegistration) -> str:
        return ", ".join(row.scopes) or "the catalogue's default"

    @admin.display(description="Parameters")
    def labelled(self, row: ClientRegistration) -> Any:
        return catalogue_facts.parameters(row.provider_id, row.parameters)

    @admin.display(description="Client authentication")
    def authentication(self, row: ClientRegistration) -> str:
        return row.token_endpoint_auth_method or "the catalogue's first"

    @admin.display(description="Created")
    def created(self, row: ClientRegistration) -> Any:
        return words.moment(row.created_at)
