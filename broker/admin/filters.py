"""Filters that stay fast on big tables: fixed choices, or one field to type into; none lists or counts rows."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from broker.admin import catalogue_facts, refusals
from broker.services import directory, timeline
from broker.services.plain_words import END_WORDS, REASON_WORDS, STATE_WORDS
from tenants.models import AuditEvent, Tenant

Choices = list[tuple[str, str]]


class ChoiceFilter(SimpleListFilter):
    """Exact match of one column with one of fixed choices; an unknown choice matches nothing."""

    column = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen is None:
            return queryset
        known = chosen in {str(value) for value, _ in self.lookup_choices}
        return queryset.filter(**{self.column: chosen}) if known else queryset.none()


class StateFilter(ChoiceFilter):
    title, parameter_name, column = "state", "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(str(state), words) for state, words in STATE_WORDS.items()]


class ReasonFilter(ChoiceFilter):
    title, parameter_name, column = "reason", "reason", "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(str(reason), words) for reason, words in REASON_WORDS.items() if words]


class ProviderFilter(ChoiceFilter):
    title, parameter_name, column = "provider", "provider", "provider_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        definitions = directory.registry().definitions()
        return [(provider_id, definition.display_name) for provider_id, definition in definitions.items()]


class EndingFilter(ChoiceFilter):
    title, parameter_name = "provider's end", "ending"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("announced", "announced")] if catalogue_facts.ending_providers() else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        known = self.value() in {value for value, _ in self.lookup_choices}
        return queryset.filter(provider_id__in=catalogue_facts.ending_providers()) if known else queryset.none()


class EndFilter(ChoiceFilter):
    title, parameter_name, column = "what ends", "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(str(kind), title) for kind, (title, _) in END_WORDS.items()]


class IncidentFilter(ChoiceFilter):
    title, parameter_name = "incident", "incident"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("open", "refused by the provider")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() is None else queryset.exclude(incident_since=None)


class ActionFilter(ChoiceFilter):
    title, parameter_name, column = "what happened", "action", "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(action, action.replace(".", ": ").replace("_", " ")) for action in sorted(timeline.ACTIONS)]


class ActorFilter(ChoiceFilter):
    title, parameter_name, column = "who", "who", "actor_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        words = {"customer": "customers", "caller": "callers", "staff": "staff", "system": "the broker itself"}
        return [(kind, words[kind]) for kind in AuditEvent.Actor.values]


class TypedFilter(SimpleListFilter):
    """A field to type into, for columns with too many values for a list."""

    template = "admin/typed_filter.html"
    placeholder = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("", "")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        kept = {**changelist.get_filters_params(), SEARCH_VAR: [changelist.query] if changelist.query else []}
        yield {
            "name": self.parameter_name,
            "value": self.value() or "",
            "placeholder": self.placeholder,
            "suggestions": self.suggestions(),
            "clear": changelist.get_query_string(remove=[str(self.parameter_name)]),
            "others": [(key, value) for key, values in kept.items() for value in values if key != self.parameter_name],
        }

    def suggestions(self) -> list[str]:
        return []

    def typed(self) -> str:
        # PostgreSQL refuses NUL in text.
        return (self.value() or "").replace("\x00", "").strip()


class TenantFilter(TypedFilter):
    title, parameter_name, placeholder = "tenant", "tenant", "slug or name"

    def suggestions(self) -> list[str]:
        return list(Tenant.objects.values_list("slug", flat=True)[:50])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = self.typed()
        if not typed:
            return queryset
        exact = Tenant.objects.filter(slug=typed).first()
        if exact is not None:
            return queryset.filter(tenant_id=exact.pk)
        named = Tenant.objects.filter(Q(slug__icontains=typed) | Q(name__icontains=typed))
        return queryset.filter(tenant_id__in=named.order_by().values("pk"))


class ConnectionFilter(TypedFilter):
    title, parameter_name, placeholder = "connection", "connection", "connection id"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = self.typed()
        if not typed:
            return queryset
        wanted = uuid_or_none(typed)
        return queryset.filter(connection_id=wanted) if wanted else queryset.none()


class ReferenceFilter(TypedFilter):
    title, parameter_name, placeholder = "provider's reference for an error", "reference", "as the provider gave it"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = self.typed()
        return queryset.filter(pk__in=refusals.events_of(typed)) if typed else queryset


def uuid_or_none(text: str) -> UUID | None:
    """Return the id that was typed or pasted, if it is one."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None
