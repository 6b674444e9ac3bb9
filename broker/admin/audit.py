"""The audit log: every event with its sentence, to look at."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html

from broker.admin import words
from broker.admin.base import ViewOnlyAdmin
from broker.admin.connection_page import who
from broker.admin.filters import ActionFilter, ActorFilter, ConnectionFilter, ReferenceFilter, TenantFilter
from broker.admin.support_desk import desk
from broker.services import timeline
from tenants.models import AuditEvent, Tenant


@admin.register(AuditEvent, site=desk)
class AuditEventAdmin(ViewOnlyAdmin[AuditEvent]):
    """Newest first; the database refuses to change a row."""

    list_display = ("when", "actor_words", "source_words", "sentence", "tenant_name", "of_connection")
    list_filter = (TenantFilter, ConnectionFilter, ReferenceFilter, ActorFilter, ActionFilter)
    ordering = ("-id",)
    fields = (
        "when",
        "actor_words",
        "source_words",
        "sentence",
        "action",
        "tenant_name",
        "of_connection",
        "particulars",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        """The event holds plain ids, so the tenant's name is looked up beside it."""
        name = Tenant.objects.filter(pk=OuterRef("tenant_id")).order_by().values("name")
        return super().get_queryset(request).annotate(name_of_tenant=Subquery(name))

    @admin.display(description="When", ordering="id")
    def when(self, row: AuditEvent) -> Any:
        return words.with_small_print(words.distance(row.at), words.exact(row.at))

    @admin.display(description="Who")
    def actor_words(self, row: AuditEvent) -> str:
        return who(row)

    @admin.display(description="From")
    def source_words(self, row: AuditEvent) -> str:
        return row.source or words.NOTHING

    @admin.display(description="What happened")
    def sentence(self, row: AuditEvent) -> str:
        return timeline.sentence(row.action, row.detail)

    @admin.display(description="Tenant")
    def tenant_name(self, row: Any) -> str:
        return row.name_of_tenant or words.NOTHING

    @admin.display(description="Connection")
    def of_connection(self, row: AuditEvent) -> Any:
        return words.connection_link(row.connection_id, str(row.connection_id)[:8])

    @admin.display(description="Particulars")
    def particulars(self, row: AuditEvent) -> Any:
        text = json.dumps(row.detail, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html("<pre>{}</pre>", text)
