"""Callers and their API keys: what a service may do is changed here, a key in clear is never seen here."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from broker.admin.base import EditableAdmin, ViewOnlyAdmin, record
from broker.admin.support_desk import desk
from broker.admin.words import moment
from broker.services import callers, directory
from tenants.models import ApiKey, Caller, Operation


def _providers() -> list[tuple[str, str]]:
    return [(each.id, each.display_name) for each in directory.registry().definitions().values()]


class CallerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Lists of fixed words are ticked, not typed."""

    operations = forms.MultipleChoiceField(
        label="Operations", choices=Operation.choices, widget=forms.CheckboxSelectMultiple
    )
    providers = forms.MultipleChoiceField(
        label="Providers",
        choices=_providers,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: every provider.",
    )


@admin.register(Caller, site=desk)
class CallerAdmin(EditableAdmin[Caller]):
    """Made by the command create_caller, which shows the first key; ended by taking `active` away."""

    form = CallerForm
    audited_as = "caller"
    list_display = ("name", "active", "may_do", "all_tenants", "created")
    search_fields = ("name",)
    fields = ("name", "active", "operations", "all_tenants", "tenants", "providers", "created")
    readonly_fields = ("name", "created")
    autocomplete_fields = ("tenants",)

    @admin.display(description="May")
    def may_do(self, row: Caller) -> str:
        words = dict(Operation.choices)
        return "; ".join(str(words.get(operation, operation)) for operation in row.operations)

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: Caller) -> Any:
        return moment(row.created_at)


@admin.register(ApiKey, site=desk)
class ApiKeyAdmin(ViewOnlyAdmin[ApiKey]):
    """The public half of keys; the secret half is stored as a hash, and not shown."""

    list_display = ("key_id", "caller", "standing", "created", "expires", "last_used")
    list_select_related = ("caller",)
    search_fields = ("key_id", "caller__name")
    ordering = ("-created_at", "pk")
    fields = ("key_id", "caller", "standing", "created", "expires", "last_used")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).defer("secret_hash")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.change_apikey")

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Effects: each key is refused from its next request on; one audit event a key."""
        revoked = [key.key_id for key in queryset.select_related("caller") if self._revoke(request, key)]
        if revoked:
            self.message_user(request, f"Revoked: {', '.join(revoked)}. Requests with it are refused from now on.")
        else:
            self.message_user(request, "Nothing to do: these keys were revoked before.", messages.WARNING)

    @staticmethod
    def _revoke(request: HttpRequest, key: ApiKey) -> bool:
        with transaction.atomic():
            done = callers.revoke_key(key.key_id)
            if done:
                record(request, "caller.key_revoked", key.caller, key_id=key.key_id)
        return done

    @admin.display(description="State")
    def standing(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "revoked"
        return "usable" if row.expires_at > timezone.now() else "expired"

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: ApiKey) -> Any:
        return moment(row.created_at)

    @admin.display(description="Expires", ordering="expires_at")
    def expires(self, row: ApiKey) -> Any:
        return moment(row.expires_at)

    @admin.display(description="Last used", ordering="last_used_at")
    def last_used(self, row: ApiKey) -> Any:
        return moment(row.last_used_at)
