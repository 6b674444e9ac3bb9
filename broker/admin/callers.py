"""Callers and their API keys: what a service may do is changed here, a key in clear is never seen here."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from broker.admin import words
from broker.admin.base import EditableAdmin, ModelAdmin, staff
from broker.admin.lines import LinesField
from broker.admin.support_desk import desk
from broker.admin.words import moment
from broker.errors import InvalidRequest
from broker.services import directory, enrolment, networks
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
    fields = (
        *("name", "active", "purpose", "operations", "all_tenants", "tenants", "providers"),
        *("rate_per_minute", "connections_per_hour", "created"),
    )
    readonly_fields = ("name", "created")
    autocomplete_fields = ("tenants",)

    def audited_detail(self, obj: Caller) -> dict[str, Any]:
        return {"now": enrolment.standing(obj)}

    @admin.display(description="May")
    def may_do(self, row: Caller) -> str:
        words = dict(Operation.choices)
        return "; ".join(str(words.get(operation, operation)) for operation in row.operations)

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: Caller) -> Any:
        return moment(row.created_at)


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Of a key, only where it may come from is changed: its rights are its caller's."""

    networks = LinesField(
        forms.CharField(max_length=43),
        label="Networks",
        help_text="One a line, like 10.1.0.0/16 or 2001:db8::/32: where requests may come from. None: from anywhere.",
    )

    def clean_networks(self) -> list[str]:
        try:
            return networks.canonical(self.cleaned_data["networks"])
        except InvalidRequest as error:
            raise ValidationError(error.detail) from None


@admin.register(ApiKey, site=desk)
class ApiKeyAdmin(EditableAdmin[ApiKey]):
    """The public half of keys, and workload identities; the secret half is stored as a hash, and not shown."""

    form = KeyForm
    list_display = ("key_id", "caller", "kind", "standing", "created", "expires", "last_used")
    list_select_related = ("caller", "issuer")
    search_fields = ("key_id", "caller__name", "subject")
    ordering = ("-created_at", "pk")
    readonly_fields = ("key_id", "caller", "kind", "subject", "standing", "created", "expires", "last_used")
    fields = (*readonly_fields, "networks")
    actions = ("revoke", "lift_throttle")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).defer("secret_hash")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Effects: those of `enrolment.change_networks`, its audit event included."""
        enrolment.change_networks(obj.key_id, form.cleaned_data["networks"], actor=staff(request))

    def log_change(self, request: HttpRequest, obj: ApiKey, message: Any) -> Any:
        # The service has written the event.
        return ModelAdmin.log_change(self, request, obj, message)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.change_apikey")

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Effects: each key is refused from its next request on; one audit event a key."""
        revoked = [each.key_id for each in queryset if _done(enrolment.revoke_key, each, request)]
        if revoked:
            self.message_user(request, f"Revoked: {', '.join(revoked)}. Requests with it are refused from now on.")
        else:
            self.message_user(request, "Nothing to do: these keys were revoked before.", messages.WARNING)

    @admin.action(description="Let read on after a throttle", permissions=["revoke"])
    def lift_throttle(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Effects: each key is served again, and what it reads is counted anew; one audit event a key."""
        lifted = [each.key_id for each in queryset if _done(enrolment.lift_throttle, each, request)]
        if lifted:
            told = "A caller that needs to read so many connections each hour needs a budget of its own."
            self.message_user(request, f"Served again: {', '.join(lifted)}. {told}")
        else:
            self.message_user(request, "Nothing to do: these keys are not throttled.", messages.WARNING)

    @admin.display(description="Kind")
    def kind(self, row: ApiKey) -> str:
        return f"workload of {row.issuer.name}" if row.issuer else "API key"

    @admin.display(description="State")
    def standing(self, row: ApiKey) -> Any:
        if row.revoked_at is not None:
            return "revoked"
        if row.expires_at <= timezone.now():
            return "expired"
        if row.throttled_until is not None and row.throttled_until > timezone.now():
            return words.label("degraded", f"throttled until {words.exact(row.throttled_until)}")
        return "usable" if row.issuer is None or row.issuer.active else "its issuer is not trusted"

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: ApiKey) -> Any:
        return moment(row.created_at)

    @admin.display(description="Expires", ordering="expires_at")
    def expires(self, row: ApiKey) -> Any:
        return words.NOTHING if row.issuer_id else moment(row.expires_at)

    @admin.display(description="Last used", ordering="last_used_at")
    def last_used(self, row: ApiKey) -> Any:
        return moment(row.last_used_at)


def _done(verb: Callable[..., None], key: ApiKey, request: HttpRequest) -> bool:
    """Tell whether there was something to do."""
    try:
        verb(key.key_id, actor=staff(request))
    except InvalidRequest:
        return False
    return True
