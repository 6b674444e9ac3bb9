"""A pressed button or a chosen list action: ask first where that is due, do it, say what came of it."""

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from broker.admin import base, words
from broker.admin.support_desk import desk
from broker.admin.verbs import Done, Verb, perform
from tenants.models import Connection

Results = list[tuple[Connection, Done]]


def on_page(request: HttpRequest, verb: Verb, connection: Connection) -> HttpResponse:
    """Carry out one verb from a connection's page, and go back there."""
    if verb.confirm and "confirmed" not in request.POST:
        return _ask(request, verb, [connection], cancel_url=words.connection_url(connection.pk), from_list=False)
    results = [(connection, perform(verb, connection, base.staff(request)))]
    return _tell(request, verb, results) or HttpResponseRedirect(words.connection_url(connection.pk))


def on_list(request: HttpRequest, verb: Verb, queryset: QuerySet[Connection]) -> HttpResponse | None:
    """Carry out one verb on the chosen rows; None sends the browser back to the list."""
    rows = queryset.select_related("tenant", "registration").defer("registration__sealed_secrets")
    chosen = list(rows[: verb.limit + 1])
    if len(chosen) > verb.limit:
        messages.warning(request, f"{verb.label}: choose at most {verb.limit} connections at a time. Nothing was done.")
        return None
    if verb.confirm and "confirmed" not in request.POST:
        return _ask(request, verb, chosen, cancel_url=request.get_full_path(), from_list=True)
    actor = base.staff(request)
    return _tell(request, verb, [(connection, perform(verb, connection, actor)) for connection in chosen])


def _ask(
    request: HttpRequest, verb: Verb, chosen: list[Connection], *, cancel_url: str, from_list: bool
) -> TemplateResponse:
    context = {
        "title": "Are you sure?",
        "verb": verb,
        "connections": [(row, words.name_of(row), words.provider_name(row.provider_id)) for row in chosen],
        "cancel_url": cancel_url,
        "from_list": from_list,
        "checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return _page(request, "confirm", context)


def _tell(request: HttpRequest, verb: Verb, results: Results) -> HttpResponse | None:
    """Say what came of it. Links are shown by this very answer: nothing that works as a key is kept for a next page."""
    for level, text in _grouped([each for each in results if each[1].link is None]):
        messages.add_message(request, level, text)
    links = [(connection, words.name_of(connection), done.link) for connection, done in results if done.link]
    if not links:
        return None
    back = words.connection_url(links[0][0].pk) if len(results) == 1 else reverse("admin:tenants_connection_changelist")
    return _page(request, "links", {"title": "Repair link", "links": links, "back": back})


def _page(request: HttpRequest, name: str, context: dict[str, object]) -> TemplateResponse:
    whole = {**desk.each_context(request), "opts": Connection._meta, **context}
    return TemplateResponse(request, f"admin/tenants/connection/{name}.html", whole)


def _grouped(results: Results) -> list[tuple[int, str]]:
    """Return one message for each different outcome, naming the connections it is about."""
    groups: dict[tuple[int, str], list[str]] = {}
    for connection, done in results:
        groups.setdefault((done.level, done.text), []).append(words.name_of(connection))
    return [(level, f"{', '.join(names)}: {text}") for (level, text), names in groups.items()]
