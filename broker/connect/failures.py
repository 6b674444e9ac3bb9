"""Pages for what went wrong before there was anything to show. Named in broker/urls.py and CSRF_FAILURE_VIEW.

All of them must work without a database: it may be what failed.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from broker.connect import pages
from broker.errors import BrokerError, InternalError, InvalidRequest, MethodNotAllowed, RouteNotFound
from broker.services.source import source_of
from tenants import audit

View = Callable[..., HttpResponse]
_NOT_UNDERSTOOD = (_("We did not understand that"), _("Open the link you were sent again."))
TEXTS: dict[str, tuple[str | Promise, str | Promise]] = {
    "connect_link_invalid": (
        _("This link is not valid"),
        _("It is incomplete, or it was never made by this service. Check that you opened the whole link."),
    ),
    "connect_link_expired": (
        _("This link can no longer be used"),
        _("It has expired, or it was used already. Ask whoever sent it to you for a new one."),
    ),
    "authorization_response_invalid": (
        _("We cannot continue in this browser"),
        _(
            "The sign-in was started somewhere else, or too long ago. Nothing was changed. Open the link you were sent "
            "and stay in the same browser until the end; if the link no longer works, ask for a new one."
        ),
    ),
    "provider_not_available": (
        _("This service cannot be connected at the moment"),
        _("It is not set up, or it is switched off. Tell whoever sent you the link the code below."),
    ),
    "invalid_request": _NOT_UNDERSTOOD,
    "method_not_allowed": _NOT_UNDERSTOOD,
    "route_not_found": (
        _("There is no page here"),
        _("Check the address, or open the link you were sent again."),
    ),
    "forbidden": (_("You may not open this page"), _("Sign in as somebody who may, or ask an administrator.")),
    "csrf_failed": (
        _("The form could not be checked"),
        _("Open the link you were sent again and press the button there. This site has to be allowed to use cookies."),
    ),
    "internal_error": (
        _("Something went wrong on our side"),
        _("This is not your fault. Wait a few minutes, then try again."),
    ),
}


def friendly(*methods: str) -> Callable[[View], View]:
    """Decorate a view: other methods, and refusals it raises, become pages with their status and code."""

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
            if request.method not in methods:
                response = failure(request, MethodNotAllowed.code, MethodNotAllowed.status)
                response.headers["Allow"] = ", ".join(methods)
                return response
            try:
                with audit.customer_at(source_of(request.META)):
                    return view(request, *arguments, **named)
            except BrokerError as error:
                return failure(request, error.code, error.status)

        return answer

    return decorate


def failure(request: HttpRequest, code: str, status: int) -> HttpResponse:
    """Return the page of a code; codes without words of their own read like an internal error."""
    title, text = TEXTS.get(code, TEXTS["internal_error"])
    context = {"title": title, "text": text, "code": code}
    response = pages.page(request, "failure.html", context, language=pages.language_of(request), status=status)
    # Its address may hold a code and state, and there is no form on it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400"""
    return failure(request, InvalidRequest.code, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403"""
    return failure(request, "forbidden", 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404"""
    return failure(request, RouteNotFound.code, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500"""
    return failure(request, InternalError.code, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW"""
    return failure(request, "csrf_failed", 403)
