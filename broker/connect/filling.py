"""The page of a provider with a form: shown, sent, and shown again with what has to be changed."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from broker.connect import asking, pages, questions, redirects, refusals
from broker.connect.asking import Asked
from broker.connect.outcomes import Turn
from broker.connect.refusals import Trouble
from broker.errors import InvalidRequest
from broker.services import directory, entering
from broker.services.entering import EntryRefused
from tenants.models import ConnectSession

UNPROCESSABLE = 422
# The page's own fields, besides those of the provider.
_OURS = ("csrfmiddlewaretoken", "provider")


def ask(
    request: HttpRequest,
    session: ConnectSession,
    picked: Asked | None,
    offers: list[Asked],
    *,
    typed: Mapping[str, str] | None = None,
    trouble: Trouble | None = None,
) -> HttpResponse:
    """Return the page that asks: to choose a service, to go to one, or to fill in a form."""
    language = pages.language_of(request, session)
    context: dict[str, object] = {
        "tenant": session.tenant.name,
        "offers": offers,
        "asked": picked,
        "repairs": session.connection is not None,
        "account": asking.account_name(session),
        "minutes": max(1, round((session.expires_at - timezone.now()).total_seconds() / 60)),
        "languages": pages.language_links(request, language),
        "trouble": trouble,
        # The customer can do nothing more here when it is staff's turn.
        "staff": trouble is not None and trouble.turn is Turn.STAFF,
        "session": session,
    }
    if picked and picked.by_form:
        definition = directory.provider(picked.provider_id).definition
        with translation.override(language):
            context["ways"] = questions.ways(definition, typed or {}, trouble.marked if trouble else {})
    origins = [picked.origin] if picked and picked.origin else []
    template = "choose.html" if picked is None else "enter.html" if picked.by_form else "ask.html"
    status = UNPROCESSABLE if trouble else 200
    response = pages.page(request, template, context, language=language, form_origins=origins, status=status)
    return pages.let_opener_see(response, session)


def fill_in(request: HttpRequest, session: ConnectSession, picked: Asked, offers: list[Asked]) -> HttpResponse:
    """Take a form that was sent: onward when it is good, else the same page with the trouble."""
    typed = _typed(request)
    try:
        started = entering.enter(session, picked.provider_id, typed)
    except EntryRefused as refused:
        with translation.override(pages.language_of(request, session)):
            trouble = _trouble(session, picked, refused, typed)
        return ask(request, session, picked, offers, typed=typed, trouble=trouble)
    return redirects.to_started(request, session, started)


def _trouble(session: ConnectSession, picked: Asked, refused: EntryRefused, typed: Mapping[str, str]) -> Trouble:
    names = {"provider": picked.name, "tenant": session.tenant.name, "account": asking.account_name(session)}
    return refusals.trouble(refused, directory.provider(picked.provider_id).definition, typed, names)


def _typed(request: HttpRequest) -> dict[str, str]:
    """Return what was filled in, untouched. Raises InvalidRequest for a field that came twice."""
    given = {name: request.POST.getlist(name) for name in request.POST if name not in _OURS}
    if any(len(values) != 1 for values in given.values()):
        raise InvalidRequest("a field came more than once")
    return {name: value for name, (value,) in given.items()}
