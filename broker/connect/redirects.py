"""From one page to the next: to the provider, to the result, to the choice of a company."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from broker.connect import cookies, pages
from broker.errors import AuthorizationResponseRefused, ConnectLinkExpired
from broker.services import authorize, sessions
from broker.services.authorize import Started
from tenants.models import AuthorizationRequest, ConnectSession


class SeeOther(HttpResponseRedirect):
    """303: the next request is a GET, whatever this one was. Source: RFC 9700 section 4.12."""

    status_code = 303


def to_started(request: HttpRequest, session: ConnectSession, started: Started) -> HttpResponse:
    """Send the browser to where a flow that it has just started goes on, and bind the flow to it."""
    response = SeeOther(started.url)
    cookies.bind(response, started, session)
    pages.remember_language(request, response)
    return pages.let_opener_see(pages.harden(response), session)


def onward(flow: AuthorizationRequest) -> HttpResponse:
    """Send the browser to the page where its flow goes on: to choose a company, or to see how it ended."""
    return _to("connect-company", flow) if is_choosing(flow) else to_result(flow)


def to_result(flow: AuthorizationRequest) -> HttpResponse:
    """Send the browser to the page that says how its flow stands."""
    return _to("connect-result", flow)


def is_choosing(flow: AuthorizationRequest) -> bool:
    """Whether the customer has still to say which company it is."""
    return flow.status == AuthorizationRequest.Status.CHOOSING and flow.expires_at > timezone.now()


def _to(name: str, flow: AuthorizationRequest) -> HttpResponse:
    response = SeeOther(reverse(name, args=[flow.id]))
    return pages.let_opener_see(pages.harden(response), flow.session)


def where_it_was_used(request: HttpRequest, token: str) -> HttpResponse:
    """To the browser that used the link up, its result: people press Back, or open the mail again.

    Raises: ConnectLinkExpired for every other browser.
    """
    held = cookies.browser_secret(request)
    used = AuthorizationRequest.objects.filter(session__token_hash=sessions.digest(token)).order_by("-created_at")
    for flow_id in used.values_list("id", flat=True):
        try:
            return onward(authorize.find_flow(flow_id, held))
        except AuthorizationResponseRefused:
            continue
    raise ConnectLinkExpired
