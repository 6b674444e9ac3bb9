"""Parse, call one service, show what came of it."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from broker.connect import asking, cookies, filling, outcomes, pages, redirects, returning
from broker.connect.failures import friendly
from broker.connect.sentences import Sentence
from broker.errors import ConnectLinkExpired, InvalidRequest, ProviderNotAvailable
from broker.services import authorize, directory, parked, sessions
from tenants.models import AuthorizationRequest, ConnectSession


@friendly("GET", "HEAD", "POST")
def link(request: HttpRequest, token: str) -> HttpResponse:
    """The connect link: a page without side effects; its button starts the flow, or sends the form."""
    try:
        session = sessions.find(token)
    except ConnectLinkExpired:
        return redirects.where_it_was_used(request, token)
    return _begin(request, session, token) if request.method == "POST" else _ask(request, session)


@friendly("GET", "HEAD")
def result(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """What happened, for the browser that was there."""
    flow = authorize.find_flow(flow_id, cookies.browser_secret(request))
    session = flow.session
    if redirects.is_choosing(flow) and session.outcome != "connected":
        return redirects.onward(flow)
    language = pages.language_of(request, session)
    with translation.override(language):
        context, origins = _result_context(flow)
    context |= {"languages": pages.language_links(request, language), "can_retry": bool(origins)}
    response = pages.page(request, "result.html", context, language=language, form_origins=origins)
    return pages.let_opener_see(response, session)


@friendly("POST")
def retry(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Start over after a flow that did not end well, in the same browser."""
    flow = authorize.find_flow(flow_id, cookies.browser_secret(request))
    return redirects.to_started(request, flow.session, authorize.begin_again(flow))


def _ask(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    with translation.override(pages.language_of(request, session)):
        offers = asking.offers(session)
    return filling.ask(request, session, asking.chosen(offers, request.GET.get("provider", "")), offers)


def _begin(request: HttpRequest, session: ConnectSession, token: str) -> HttpResponse:
    # Looked up before begin() does: a provider that cannot be connected must not use up the link.
    with translation.override(pages.language_of(request, session)):
        offers = asking.offers(session)
    picked = asking.chosen(offers, request.POST.get("provider", ""))
    if picked is None:
        raise InvalidRequest("choose a provider")
    if not picked.by_form:
        return redirects.to_started(request, session, authorize.begin(session, picked.provider_id))
    try:
        return filling.fill_in(request, session, picked, offers)
    except ConnectLinkExpired:
        # A form sent twice at once: the other one was faster.
        return redirects.where_it_was_used(request, token)


def _origins_of_retry(flow: AuthorizationRequest, turn: outcomes.Turn) -> list[str]:
    """Where "Try again" would lead to; nowhere when it makes no sense."""
    if turn is not outcomes.Turn.CUSTOMER or not outcomes.may_retry(flow.session):
        return []
    try:
        origin = asking.asked(flow.session, flow.provider_id).origin
    except ProviderNotAvailable:
        return []
    return [origin] if origin else []


def _result_context(flow: AuthorizationRequest) -> tuple[dict[str, object], list[str]]:
    """Return the page's words, and where its "Try again" leads to."""
    session, definition = flow.session, directory.provider(flow.provider_id).definition
    code = outcomes.code_of(flow, definition)
    outcome, explained = outcomes.told(code, definition)
    waiting = parked.of_session(session) if code == "account_mismatch" else None
    if waiting is not None:
        outcome = outcomes.KEPT_ASIDE
    names = {
        "provider": definition.display_name,
        "tenant": session.tenant.name,
        "account": asking.account_name(session),
        "other": waiting.called if waiting else "",
    }
    connected = code == "connected"
    status = "connected" if connected else "failed"
    reason = session.connection.reason if connected and session.connection else ""
    context: dict[str, object] = {
        **names,
        "flow": flow,
        "code": code,
        "status": status,
        "turn": outcome.turn.value,
        "title": str(outcome.title) % names,
        "text": explained or Sentence(str(outcome.text) % names),
        "note": outcomes.note(reason, definition),
        "missing": asking.missing_scopes(session, flow.provider_id) if connected else [],
        "return_link": returning.link(session, status) if code != "working" else "",
        "opener_origin": returning.origin(session) if outcome.over else "",
    }
    return context, _origins_of_retry(flow, outcome.turn)
