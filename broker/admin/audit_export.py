"""A tenant's audit log to take along: the question which part, and the file."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse

from broker.admin.base import staff
from broker.services import audit_export
from broker.services.audit_export import Wanted
from tenants.models import Tenant
from tenants.querysets.rows import database_now

RIGHT = "tenants.export_audit"
_LINES_AT_ONCE = 500
_DAY = forms.DateInput(attrs={"type": "date"})


class ExportForm(forms.Form):
    """Which part; nothing filled in means all events."""

    start = forms.DateField(label="From", required=False, widget=_DAY, help_text="UTC; empty: from the beginning.")
    end = forms.DateField(label="To", required=False, widget=_DAY, help_text="This day included; empty: until now.")
    reads = forms.BooleanField(label="With who read which connection's token, by hour", required=False)


def view(request: HttpRequest, pk: UUID, context: Callable[[HttpRequest], dict[str, Any]]) -> HttpResponseBase:
    """The question, and the file. Effects: one audit event for each file."""
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    tenant = Tenant.objects.filter(pk=pk).first()
    if tenant is None:
        raise Http404("there is no such tenant")
    form = ExportForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _file(request, tenant, form.cleaned_data)
    page = {**context(request), "title": "Export the audit log", "tenant": tenant, "form": form}
    return TemplateResponse(request, "admin/tenants/tenant/export.html", page)


def _file(request: HttpRequest, tenant: Tenant, asked: dict[str, Any]) -> HttpResponseBase:
    now = database_now()
    start: date | None = asked.get("start")
    wanted = Wanted(tenant_id=tenant.pk, start=start, end=asked.get("end"), reads=bool(asked.get("reads")))
    lines = audit_export.export(wanted, actor=staff(request), now=now)
    name = f"audit-{tenant.slug}-{now.date().isoformat()}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_pieces(lines), content_type="application/jsonl", headers=headers)


def _pieces(lines: Iterator[str]) -> Iterator[bytes]:
    while piece := "".join(islice(lines, _LINES_AT_ONCE)):
        yield piece.encode()
