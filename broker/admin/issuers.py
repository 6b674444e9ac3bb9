"""Issuers of workload tokens: on which terms they are trusted."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError

from broker.admin.base import EditableAdmin
from broker.admin.support_desk import desk
from broker.admin.words import moment
from broker.errors import InvalidRequest
from broker.services import issuers
from broker.services.workload_identity import ALGORITHMS
from tenants.models import ApiKey, TrustedIssuer


class IssuerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Checked as the command trust_issuer checks."""

    algorithms = forms.MultipleChoiceField(
        label="Algorithms",
        choices=[(name, name) for name in ALGORITHMS],
        widget=forms.CheckboxSelectMultiple,
        help_text="Signature algorithms that are accepted.",
    )

    def clean(self) -> dict[str, Any] | None:
        given = super().clean() or self.cleaned_data
        # What a field of its own has refused already is told by that field.
        if not self.errors:
            names = ("audience", "algorithms", "jwks_uri", "jwks", "max_life_seconds")
            wanted = TrustedIssuer(issuer=self.instance.issuer, **{name: given[name] for name in names})
            try:
                issuers.check(wanted)
            except InvalidRequest as error:
                raise ValidationError(error.detail) from None
        return given


@admin.register(TrustedIssuer, site=desk)
class TrustedIssuerAdmin(EditableAdmin[TrustedIssuer]):
    """Made by the command trust_issuer; ended by taking `active` away."""

    form = IssuerForm
    audited_as = "issuer"
    list_display = ("name", "issuer", "audience", "active", "workloads", "created")
    search_fields = ("name", "issuer")
    readonly_fields = ("name", "issuer", "workloads", "created")
    fields = (
        *("name", "issuer", "active", "audience", "algorithms", "jwks_uri", "jwks", "max_life_seconds"),
        *("workloads", "created"),
    )

    def audited_detail(self, obj: TrustedIssuer) -> dict[str, Any]:
        return {"issuer": obj.name, "now": issuers.terms(obj)}

    @admin.display(description="Workloads")
    def workloads(self, row: TrustedIssuer) -> int:
        return ApiKey.objects.filter(issuer=row, revoked_at=None).count()

    @admin.display(description="Created", ordering="created_at")
    def created(self, row: TrustedIssuer) -> Any:
        return moment(row.created_at)
