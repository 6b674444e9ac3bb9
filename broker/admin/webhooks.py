"""Webhook endpoints and what was delivered there: to look at, to try, to send again. Neither secrets nor addresses."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from broker.admin import words
from broker.admin.base import ViewOnlyAdmin, staff
from broker.admin.filters import ChoiceFilter, Choices
from broker.admin.support_desk import desk
from broker.errors import BrokerError
from broker.services import outbox, webhooks
from tenants.audit import Actor
from tenants.models import WebhookDelivery, WebhookEndpoint

_COLOURS = {"waiting": "degraded", "delivered": "connected", "given_up": "reauthorization_required"}
_AT_ONCE = 100


class DeliveryStateFilter(ChoiceFilter):
    title, parameter_name, column = "state", "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(str(value), str(label)) for value, label in WebhookDelivery.State.choices]


class _OfCallers(ViewOnlyAdmin[Any]):
    """Whoever may see callers may see where they are told of events."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tenants.view_caller")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def press(
        self, request: HttpRequest, queryset: QuerySet[Any], act: Callable[[Any, Actor], object], done: str
    ) -> None:
        """Do it to each chosen row, and say of how many it was done. Effects: those of the service."""
        count, actor = 0, staff(request)
        for row in queryset[:_AT_ONCE]:
            try:
                count += bool(act(row, actor))
            except BrokerError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
        self.message_user(request, f"{done}: {count}.", messages.SUCCESS if count else messages.WARNING)


@admin.register(WebhookEndpoint, site=desk)
class WebhookEndpointAdmin(_OfCallers):
    """Made by their callers; staff look, try, disable and enable."""

    list_display = ("host", "caller", "standing", "wanted", "created")
    list_select_related = ("caller",)
    search_fields = ("caller__name",)
    ordering = ("-created_at", "pk")
    fields = ("host", "caller", "description", "standing", "failing", "wanted", "overlap", "created", "deliveries")
    actions = ("send_test", "disable", "enable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).defer("sealed_secrets")

    def has_press_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.change_webhookendpoint")

    @admin.action(description="Send a test event", permissions=["press"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """Effects: a test event for each, on the way that every event takes."""
        rows = queryset.select_related("caller")
        self.press(request, rows, lambda row, actor: webhooks.send_test(row, actor=actor), "Test events on their way")

    @admin.action(description="Disable", permissions=["press"])
    def disable(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """Effects: nothing more is sent there, and what waits is dropped."""
        self.press(
            request,
            queryset,
            lambda row, actor: webhooks.disable(row.pk, webhooks.Because.STAFF, actor=actor),
            "Disabled",
        )

    @admin.action(description="Enable", permissions=["press"])
    def enable(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """Effects: what happens from now on is sent there."""
        self.press(request, queryset, lambda row, actor: webhooks.enable(row.pk, actor=actor), "Enabled")

    @admin.display(description="Host")
    def host(self, row: WebhookEndpoint) -> str:
        return str(row)

    @admin.display(description="State")
    def standing(self, row: WebhookEndpoint) -> SafeString:
        if row.disabled_at is not None:
            return words.label("suspended", f"disabled: {row.get_disabled_because_display()}")
        if row.failing_since is not None:
            return words.label("degraded", f"has not accepted the last {row.failures}")
        return words.label("connected", "accepts")

    @admin.display(description="Nothing accepted since")
    def failing(self, row: WebhookEndpoint) -> Any:
        return words.moment(row.failing_since)

    @admin.display(description="Events")
    def wanted(self, row: WebhookEndpoint) -> str:
        return ", ".join(row.types) or "all"

    @admin.display(description="The secret before signs until")
    def overlap(self, row: WebhookEndpoint) -> Any:
        return words.moment(row.previous_secrets_end_at)

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: WebhookEndpoint) -> Any:
        return words.moment(row.created_at)

    @admin.display(description="Deliveries")
    def deliveries(self, row: WebhookEndpoint) -> SafeString:
        address = reverse("admin:tenants_webhookdelivery_changelist")
        return format_html('<a href="{}?q={}">Those to this caller</a>', address, row.caller.name)


@admin.register(WebhookDelivery, site=desk)
class WebhookDeliveryAdmin(_OfCallers):
    """Newest first: what was sent, what came of it, and when it is tried again."""

    list_display = ("created", "kind", "caller", "endpoint", "standing", "attempts", "next_try")
    list_select_related = ("event", "endpoint__caller")
    list_filter = (DeliveryStateFilter,)
    search_fields = ("endpoint__caller__name",)
    ordering = ("-id",)
    fields = ("kind", "message_id", "connection", "caller", "endpoint", "standing", "created", "next_try", "all_tries")
    actions = ("replay",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        rows = super().get_queryset(request).select_related("event", "endpoint__caller")
        return rows.defer("endpoint__sealed_secrets")

    def has_press_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenants.change_webhookdelivery")

    @admin.action(description="Send again", permissions=["press"])
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        """Effects: each event is sent once more, by a delivery of its own; one that waits is only sent at once."""
        self.press(request, queryset, lambda row, actor: webhooks.replay(row, actor=actor), "On their way again")

    @admin.display(description="Event")
    def kind(self, row: WebhookDelivery) -> str:
        return f"{row.event.type} (sent again)" if row.replayed else row.event.type

    @admin.display(description="Id")
    def message_id(self, row: WebhookDelivery) -> str:
        return outbox.message_id(row.event)

    @admin.display(description="Connection")
    def connection(self, row: WebhookDelivery) -> Any:
        return words.connection_link(row.event.connection_id)

    @admin.display(description="Caller")
    def caller(self, row: WebhookDelivery) -> str:
        return row.endpoint.caller.name

    @admin.display(description="State")
    def standing(self, row: WebhookDelivery) -> SafeString:
        return words.label(_COLOURS.get(row.state, "disconnected"), row.get_state_display())

    @admin.display(description="Created", ordering="id")
    def created(self, row: WebhookDelivery) -> Any:
        return words.moment(row.created_at)

    @admin.display(description="Next try")
    def next_try(self, row: WebhookDelivery) -> Any:
        return words.moment(row.due_at if row.state == WebhookDelivery.State.WAITING else None)

    @admin.display(description="Tries")
    def all_tries(self, row: WebhookDelivery) -> str | SafeString:
        lines = ((each.get("at", ""), each.get("status") or each.get("error", "")) for each in row.tries)
        return format_html_join("", "<div>{}: {}</div>", lines) or words.NOTHING
