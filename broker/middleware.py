"""Page-only middleware: sessions, languages, CSRF and headers of HTML pages, skipped for the machine API."""

import secrets
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

from broker.api import problems
from broker.services import rate_limits

API_PREFIX = "/v1/"
# For programs as well, and without cookies.
_ALIKE = ("/v1", "/metrics")
Next = Callable[[HttpRequest], HttpResponseBase]


def _of_the_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX) or request.path_info in _ALIKE


class _PagesOnly:
    """Goes straight on for the API: what is skipped there is a layer that API callers would pay for and never use."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if _of_the_api(request):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class PageStatic(_PagesOnly, WhiteNoiseMiddleware):  # type: ignore[misc]
    """Static files of admin, connect and API docs pages."""


class PageSession(_PagesOnly, SessionMiddleware):
    """Staff sessions."""


class PageLocale(_PagesOnly, LocaleMiddleware):
    """The browser's language; a connect session's own language wins over it in the view."""


class PageCsrf(_PagesOnly, CsrfViewMiddleware):
    """CSRF for every form. The API takes no cookie, so there is nothing to forge there."""

    def process_view(
        self,
        request: HttpRequest,
        callback: Any,
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseForbidden | None:
        if _of_the_api(request):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class PageAuthentication(_PagesOnly, AuthenticationMiddleware):
    """Staff users."""


class PageMessages(_PagesOnly, MessageMiddleware):
    """Messages in admin."""


def response_headers(get_response: Next) -> Next:
    """Keep every answer out of caches, and give every page a content security policy with a fresh nonce.

    `request.csp_nonce` is for inline elements; a view may set `request.csp_form_action` to the one foreign origin
    that its form's redirect leads to, because browsers apply form-action to redirects as well.
    """

    def handle(request: HttpRequest) -> HttpResponseBase:
        if _of_the_api(request):
            rate_limits.note(None)
            return _api_answer(get_response(request))
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", _policy(request, nonce))
        response.headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return handle


def _api_answer(response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code == 405 and response.headers.get("Content-Type") != problems.CONTENT_TYPE:
        return problems.method_not_allowed(response.headers.get("Allow", ""))
    for name, value in (("Cache-Control", "no-store"), *rate_limits.headers()):
        response.headers.setdefault(name, value)
    return response


def _policy(request: HttpRequest, nonce: str) -> str:
    form_action = f"'self' {getattr(request, 'csp_form_action', '')}".strip()
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self'; form-action {form_action}; base-uri 'none'; object-src 'none'; "
        "frame-ancestors 'none'"
    )
