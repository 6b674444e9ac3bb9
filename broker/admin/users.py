"""Staff accounts, for superusers: who may sign in here, and whether as support. Their password hashes are not shown."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import ReadOnlyPasswordHashField, ReadOnlyPasswordHashWidget, UserChangeForm
from django.contrib.auth.models import User
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest

from broker.admin.base import changed_fields, record
from broker.admin.support_desk import desk


class _HiddenHash(ReadOnlyPasswordHashWidget):
    """The button to set a password, without the algorithm, salt and hash of the present one."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "summary": []}


class StaffForm(UserChangeForm):  # type: ignore[type-arg]
    password = ReadOnlyPasswordHashField(label="Password", widget=_HiddenHash)


@admin.register(User, site=desk)
class StaffAdmin(UserAdmin):  # type: ignore[type-arg]
    """An account is ended by taking `active` away: its name stays in the audit log."""

    form = StaffForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Seen", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, **{**kwargs, "widget": CheckboxSelectMultiple()})

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        record(request, "staff.account_created", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        record(request, "staff.account_changed", obj, changed=changed_fields(message))
        return super().log_change(request, obj, message)
