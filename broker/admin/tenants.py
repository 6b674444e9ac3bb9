"""Tenants: everybody of staff sees them, superusers change what customers see."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from broker.admin import audit_export, words
from broker.admin.base import EditableAdmin, staff
from broker.admin.lines import LinesField
from broker.admin.support_desk import desk
from broker.admin.words import moment
from broker.errors import InvalidRequest
from broker.services import register, tenant_end
from tenants.models import Tenant


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]
    """Lists are typed one entry a line."""

    locale = forms.ChoiceField(
        label="Language", choices=settings.LANGUAGES, help_text="Of connect pages, unless a link says otherwise."
    )
    return_urls = LinesField(
        forms.CharField(max_length=500),
        label="Return URLs",
        help_text="One a line: the exact addresses that a connect session may return the browser to.",
    )
    contacts = LinesField(
        forms.EmailField(),
        label="Contacts",
        help_text="One e-mail address a line: who is asked to repair a connection.",
    )

    def clean_return_urls(self) -> list[str]:
        urls: list[str] = self.cleaned_data["return_urls"]
        try:
            for url in urls:
                register.check_return_url(url)
        except InvalidRequest as error:
            raise ValidationError(error.detail) from None
        return urls


@admin.register(Tenant, site=desk)
class TenantAdmin(EditableAdmin[Tenant]):
    """Made by the command create_tenant, which makes the tenant's key as well; deleted with all that it has."""

    change_form_template = "admin/tenants/tenant/change_form.html"

    form = TenantForm
    audited_as = "tenant"
    list_display = ("slug", "name", "locale", "created", "connections", "ending")
    search_fields = ("slug", "name")
    fields = ("slug", "name", "locale", "return_urls", "contacts", "created", "connections", "ending")
    readonly_fields = ("slug", "created", "connections", "ending")

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: Tenant) -> Any:
        return moment(row.created_at)

    @admin.display(description="Connections")
    def connections(self, row: Tenant) -> Any:
        address = reverse("admin:tenants_connection_changelist")
        return format_html('<a href="{}?tenant={}">Show its connections</a>', address, row.slug)

    @admin.display(description="Deletion", ordering="deleted_at")
    def ending(self, row: Tenant) -> Any:
        if row.deleted_at is None:
            return words.NOTHING
        left = tenant_end.remaining(row)
        small = f"{left.connections} connections to end, {left.revocations} revocations to be confirmed"
        return words.with_small_print(words.label("disconnected", f"since {words.exact(row.deleted_at)}"), small)

    # -- the audit log to take along ---------------------------------------------------------------------------------
    def export_view(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """Effects: those of `audit_export.view`."""
        return audit_export.view(request, pk, self.admin_site.each_context)

    # -- deletion: for superusers, and only after a question ---------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        end_view = self.admin_site.admin_view(self.end_view)
        export_view = self.admin_site.admin_view(self.export_view)
        return [
            path("<uuid:pk>/end/", end_view, name="tenants_tenant_end"),
            path("<uuid:pk>/export/", export_view, name="tenants_tenant_export"),
            *super().get_urls(),
        ]

    def end_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The question, and its answer. Effects: those of `tenant_end.begin`."""
        if not (request.user.is_active and request.user.is_superuser):
            raise PermissionDenied
        tenant = Tenant.objects.filter(pk=pk).first()
        if tenant is None:
            raise Http404("there is no such tenant")
        if request.method == "POST" and request.POST.get("slug") == tenant.slug:
            return self._end(request, tenant)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Are you sure?",
            "tenant": tenant,
            "left": tenant_end.remaining(tenant),
            "mistyped": request.method == "POST",
        }
        return TemplateResponse(request, "admin/tenants/tenant/end.html", context)

    def _end(self, request: HttpRequest, tenant: Tenant) -> HttpResponse:
        if tenant_end.begin(tenant, actor=staff(request)):
            text = f"{tenant.name} is being deleted: nothing of it is served any more. Its connections end one by one."
            messages.success(request, text)
        else:
            messages.warning(request, f"{tenant.name} is being deleted already.")
        return HttpResponseRedirect(reverse("admin:tenants_tenant_changelist"))
