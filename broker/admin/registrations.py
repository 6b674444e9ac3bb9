"""Client registrations: to look at. Their secrets are entered by the command register_client, and never shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from broker.admin import catalogue_facts, words
from broker.admin.base import ViewOnlyAdmin
from broker.admin.filters import EndingFilter, IncidentFilter, ProviderFilter, TenantFilter
from broker.admin.support_desk import desk
from broker.services import register
from tenants.models import ClientRegistration


@admin.register(ClientRegistration, site=desk)
class ClientRegistrationAdmin(ViewOnlyAdmin[ClientRegistration]):
    """Our standing at providers."""

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
        "redirect_uri",
        "asked",
        "labelled",
        "authentication",
        "created",
    )

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context["original"]
        ending = catalogue_facts.ending(row.provider_id) if row else ""
        return super().render_change_form(request, {**context, "ending": ending}, *args, **kwargs)

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
            return words.with_small_print(refused, f"“{row.incident}” since {words.exact(row.incident_since)}")
        return words.label("connected", "accepted")

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
