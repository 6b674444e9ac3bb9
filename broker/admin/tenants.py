"""Tenants: everybody of staff sees them, superusers change what customers see."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html

from broker.admin.base import EditableAdmin
from broker.admin.support_desk import desk
from broker.admin.words import moment
from broker.errors import InvalidRequest
from broker.services import register
from tenants.models import Tenant

_LINES = forms.Textarea(attrs={"rows": 4, "cols": 80})


class LinesField(SimpleArrayField):
    """A list typed one entry a line; empty lines are nothing."""

    def __init__(self, base_field: forms.Field, **kwargs: Any) -> None:
        super().__init__(base_field, delimiter="\n", required=False, widget=_LINES, **kwargs)

    def to_python(self, value: Any) -> Any:
        lines = value.splitlines() if isinstance(value, str) else value or []
        return super().to_python("\n".join(line.strip() for line in lines if line.strip()))


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
    """Made by the command create_tenant, which makes the tenant's key as well."""

    form = TenantForm
    audited_as = "tenant"
    list_display = ("slug", "name", "locale", "created", "connections")
    search_fields = ("slug", "name")
    fields = ("slug", "name", "locale", "return_urls", "contacts", "created", "connections")
    readonly_fields = ("slug", "created", "connections")

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: Tenant) -> Any:
        return moment(row.created_at)

    @admin.display(description="Connections")
    def connections(self, row: Tenant) -> Any:
        address = reverse("admin:tenants_connection_changelist")
        return format_html('<a href="{}?tenant={}">Show its connections</a>', address, row.slug)
