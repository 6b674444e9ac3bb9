"""Render one page: in whose language, with which headers."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from broker.connect import cookies
from broker.services.sessions import LOCALES
from tenants.models import ConnectSession


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    language: str,
    status: int = 200,
    form_origins: Iterable[str] = (),
) -> HttpResponse:
    """Return a page. form_origins are the foreign origins that its form's redirect may lead to."""
    request.csp_form_action = " ".join(sorted(set(form_origins)))  # type: ignore[attr-defined]
    with translation.override(language):
        response = render(request, f"connect/{template}", {"language": language, **context}, status=status)
    response.headers["Content-Language"] = language
    # Not no-referrer: under it browsers send `Origin: null` with a form, which the CSRF check has to refuse. To other
    # sites same-origin sends nothing either.
    response.headers["Referrer-Policy"] = "same-origin"
    return harden(response)


def harden(response: HttpResponse) -> HttpResponse:
    """Add what every answer of these pages carries, redirects included."""
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers["Cache-Control"] = "no-store"
    return response


def let_opener_see(response: HttpResponse, session: ConnectSession) -> HttpResponse:
    """Keep the tie between a popup and the tenant's page that opened it, where there is such a page.

    Any other policy in the chain of pages cuts window.opener off, and the result could not be posted to it.
    Source: HTML Standard, "cross-origin opener policies".
    """
    if session.return_url:
        response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response


def language_of(request: HttpRequest, session: ConnectSession | None = None) -> str:
    """Return what the address asks for, else what this browser chose before, else the session's, else the browser's."""
    for wanted in (request.GET.get("lang", ""), request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")):
        if wanted in LOCALES:
            return wanted
    spoken = session.locale if session else translation.get_language() or ""
    return spoken if spoken in LOCALES else "en"


def language_links(request: HttpRequest, language: str) -> list[dict[str, Any]]:
    """Return the languages of this page, each with its own address."""
    kept = {"provider": request.GET["provider"]} if request.GET.get("provider") else {}
    return [
        {"code": code, "name": name, "url": f"?{urlencode({**kept, 'lang': code})}", "current": code == language}
        for code, name in settings.LANGUAGES
    ]


def remember_language(request: HttpRequest, response: HttpResponse) -> None:
    """Keep a language that was chosen on the page until the result is shown. Effects: one Set-Cookie, at most."""
    wanted = request.GET.get("lang", "")
    if wanted in LOCALES:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            wanted,
            max_age=settings.CONNECT_SESSION_SECONDS,
            secure=cookies.over_https(),
            httponly=True,
            samesite="Lax",
        )
