"""Parse, call one service, show what came of it."""

from urllib.parse import parse_qsl
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt

from broker.connect import asking, cookies, outcomes, pages, returning
from broker.connect.failures import friendly
from broker.errors import AuthorizationResponseRefused, ConnectLinkExpired, InvalidRequest, ProviderNotAvailable
from broker.services import authorize, directory, sessions
from broker.services.authorize import Started
from tenants.models import AuthorizationRequest, ConnectSession

_MOST_PARAMETERS = 100


class SeeOther(HttpResponseRedirect):
    """303: the next request is a GET, whatever this one was. Source: RFC 9700 section 4.12."""

    status_code = 303


@friendly("GET", "HEAD", "POST")
def link(request: HttpRequest, token: str) -> HttpResponse:
    """The connect link: a page without side effects; its button starts the flow."""
    try:
        session = sessions.find(token)
    except ConnectLinkExpired:
        return _where_it_was_used(request, token)
    return _begin(request, session) if request.method == "POST" else _ask(request, session)


@csrf_exempt  # It takes GET only, and is bound to the browser by state and cookie; without this a POST is 403, not 405.
@friendly("GET")
def callback(request: HttpRequest, redirect_key: str) -> HttpResponse:
    """The redirection endpoint. HEAD is refused as well: it would use up the state."""
    flow = authorize.complete(redirect_key, _parameters(request), cookies.browser_secret(request))
    return _to_result(flow)


@friendly("GET", "HEAD")
def result(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """What happened, for the browser that was there."""
    flow = authorize.find_flow(flow_id, cookies.browser_secret(request))
    session, code = flow.session, outcomes.code_of(flow)
    language = pages.language_of(request, session)
    with translation.override(language):
        context = _result_context(flow, code)
    origins = _origins_of_retry(flow, code)
    context |= {"languages": pages.language_links(request, language), "can_retry": bool(origins)}
    response = pages.page(request, "result.html", context, language=language, form_origins=origins)
    return pages.let_opener_see(response, session)


@friendly("POST")
def retry(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Start over after a flow that did not end well, in the same browser."""
    flow = authorize.find_flow(flow_id, cookies.browser_secret(request))
    return _to_provider(request, flow.session, authorize.begin_again(flow))


def _ask(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    language = pages.language_of(request, session)
    with translation.override(language):
        offers = asking.offers(session)
    picked = asking.chosen(offers, request.GET.get("provider", ""))
    context = {
        "tenant": session.tenant.name,
        "offers": offers,
        "asked": picked,
        "repairs": session.connection is not None,
        "account": asking.account_name(session),
        "minutes": max(1, round((session.expires_at - timezone.now()).total_seconds() / 60)),
        "languages": pages.language_links(request, language),
    }
    origins = [picked.origin] if picked else []
    template = "ask.html" if picked else "choose.html"
    response = pages.page(request, template, context, language=language, form_origins=origins)
    return pages.let_opener_see(response, session)


def _begin(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    # Looked up before begin() does: a provider that cannot be connected must not use up the link.
    picked = asking.chosen(asking.offers(session), request.POST.get("provider", ""))
    if picked is None:
        raise InvalidRequest("choose a provider")
    return _to_provider(request, session, authorize.begin(session, picked.provider_id))


def _to_provider(request: HttpRequest, session: ConnectSession, started: Started) -> HttpResponse:
    response = SeeOther(started.url)
    cookies.bind(response, started, session)
    pages.remember_language(request, response)
    return pages.let_opener_see(pages.harden(response), session)


def _to_result(flow: AuthorizationRequest) -> HttpResponse:
    response = SeeOther(reverse("connect-result", args=[flow.id]))
    return pages.let_opener_see(pages.harden(response), flow.session)


def _where_it_was_used(request: HttpRequest, token: str) -> HttpResponse:
    """To the browser that used the link up, its result: people press Back, or open the mail again.

    Raises: ConnectLinkExpired for every other browser.
    """
    held = cookies.browser_secret(request)
    used = AuthorizationRequest.objects.filter(session__token_hash=sessions.digest(token)).order_by("-created_at")
    for flow_id in used.values_list("id", flat=True):
        try:
            return _to_result(authorize.find_flow(flow_id, held))
        except AuthorizationResponseRefused:
            continue
    raise ConnectLinkExpired


def _parameters(request: HttpRequest) -> list[tuple[str, str]]:
    """Return every parameter in its order, repeated ones too: a dictionary would hide them."""
    query = request.META.get("QUERY_STRING", "").encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise AuthorizationResponseRefused("the answer has too many parameters") from None


def _origins_of_retry(flow: AuthorizationRequest, code: str) -> list[str]:
    """Where "Try again" would lead to; nowhere when it makes no sense."""
    if outcomes.OUTCOMES[code].turn is not outcomes.Turn.CUSTOMER or not outcomes.may_retry(flow.session):
        return []
    try:
        return [asking.asked(flow.session, flow.provider_id).origin]
    except ProviderNotAvailable:
        return []


def _result_context(flow: AuthorizationRequest, code: str) -> dict[str, object]:
    session, outcome = flow.session, outcomes.OUTCOMES[code]
    names = {
        "provider": directory.provider(flow.provider_id).definition.display_name,
        "tenant": session.tenant.name,
        "account": asking.account_name(session),
    }
    status = "connected" if code == "connected" else "failed"
    return {
        **names,
        "flow": flow,
        "code": code,
        "status": status,
        "turn": outcome.turn.value,
        "title": str(outcome.title) % names,
        "text": str(outcome.text) % names,
        "missing": asking.missing_scopes(session, flow.provider_id) if code == "connected" else [],
        "return_link": returning.link(session, status) if code != "working" else "",
        "opener_origin": returning.origin(session) if outcome.over else "",
    }
