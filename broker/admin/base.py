"""What every admin page here has in common: nothing changes but where a class says so, and each change is audited."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from broker.services.source import source_of
from tenants import audit

Row = TypeVar("Row", bound=models.Model)
if TYPE_CHECKING:

    class ModelAdmin(admin.ModelAdmin[Row]):
        """Django's class takes its type parameter only under the type checker."""
else:

    class ModelAdmin(admin.ModelAdmin):
        """As above, for the interpreter."""

        def __class_getitem__(cls, row: type[models.Model]) -> type[admin.ModelAdmin]:
            return cls


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than `limit`: an exact count of a big table costs more than the page it stands on."""

    limit = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: self.limit + 1].count())

    @property
    def capped(self) -> bool:
        return self.count > self.limit


class ViewOnlyAdmin(ModelAdmin[Row]):
    """Nobody adds, changes or deletes here, superusers included. Subclasses name every column that is shown."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    actions_on_top = True
    actions_selection_counter = True

    def has_add_permission(self, request: HttpRequest, *_: object) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        plural = str(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": plural[0].upper() + plural[1:], **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the filters on the page: any other lookup would let a hash be guessed piece by piece."""
        filters = self.get_list_filter(request) if request else self.list_filter or ()
        return any(
            isinstance(each, type) and issubclass(each, SimpleListFilter) and each.parameter_name == lookup
            for each in filters
        )

    def response_action(  # type: ignore[override]  # the stubs know an argument of a later Django
        self, request: HttpRequest, queryset: QuerySet[Row], **kwargs: Any
    ) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset, **kwargs)
        except ValidationError:
            self.message_user(request, "The selection names something that is not an id.", messages.ERROR)
            return None


class EditableAdmin(ViewOnlyAdmin[Row]):
    """Superusers may change the few fields that a subclass leaves open; every change is an audit event."""

    audited_as = ""

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def log_change(self, request: HttpRequest, obj: Row, message: Any) -> Any:
        changed = changed_fields(message)
        record(request, f"{self.audited_as}.changed", obj, changed=changed, **self.audited_detail(obj))
        return super().log_change(request, obj, message)

    def audited_detail(self, obj: Row) -> dict[str, Any]:
        """Return what else the event of a change tells: nothing that is secret."""
        return {}


def staff(request: HttpRequest) -> audit.Actor:
    """Return who acts, and from where."""
    return audit.staff(request.user.get_username(), source_of(request.META))


def record(request: HttpRequest, action: str, obj: models.Model, **detail: Any) -> None:
    """Append an audit event about an object that staff changed. Effects: one row, in the caller's transaction."""
    tenant_id = obj.pk if obj._meta.model_name == "tenant" else None
    audit.record(action, staff(request), tenant_id=tenant_id, detail={obj._meta.model_name or "": str(obj), **detail})


def changed_fields(message: Any) -> list[str]:
    """The names of changed fields; what they hold stays out of logs."""
    entries = message if isinstance(message, list) else []
    return [str(name) for entry in entries for name in entry.get("changed", {}).get("fields", [])]
