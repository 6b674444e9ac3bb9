"""Connect sessions: who was sent a link, and what came of it. The link itself is not shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from broker.admin import words
from broker.admin.base import ViewOnlyAdmin
from broker.admin.filters import ConnectionFilter, TenantFilter
from broker.admin.support_desk import desk
from broker.services import sessions, timeline
from tenants.models import ConnectSession

_STATES = {
    "open": "not opened yet",
    "started": "started, not finished",
    "completed": "connected",
    "expired": "expired",
}


@admin.register(ConnectSession, site=desk)
class ConnectSessionAdmin(ViewOnlyAdmin[ConnectSession]):
    """Links of the last day or so; ended ones are purged."""

    list_display = ("created", "tenant", "asked", "made_by", "standing", "ended", "for_connection")
    list_select_related = ("tenant", "connection")
    list_filter = (TenantFilter, ConnectionFilter)
    ordering = ("-created_at", "pk")
    fields = (
        "tenant",
        "asked",
        "made_by",
        "created",
        "expires",
        "standing",
        "ended",
        "starts",
        "for_connection",
        "label",
        "locale",
        "return_url",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConnectSession]:
        return super().get_queryset(request).defer("token_hash", "sealed_token")

    @admin.display(description="Providers")
    def asked(self, row: ConnectSession) -> str:
        return ", ".join(words.provider_name(provider_id) for provider_id in row.providers)

    @admin.display(description="Made by")
    def made_by(self, row: ConnectSession) -> str:
        return row.created_by.replace("system", "the broker", 1) or words.NOTHING

    @admin.display(description="State")
    def standing(self, row: ConnectSession) -> str:
        return _STATES[sessions.state_of(row)]

    @admin.display(description="How it ended")
    def ended(self, row: ConnectSession) -> str:
        return timeline.outcome_words(row.outcome) or words.NOTHING

    @admin.display(description="Connection")
    def for_connection(self, row: ConnectSession) -> Any:
        return words.connection_link(row.connection_id, words.name_of(row.connection) if row.connection else "")

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: ConnectSession) -> Any:
        return words.moment(row.created_at)

    @admin.display(description="Expires", ordering="expires_at")
    def expires(self, row: ConnectSession) -> Any:
        return words.moment(row.expires_at)
