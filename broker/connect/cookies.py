"""The cookie that binds one flow to the browser that started it."""

import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from broker.services.authorize import BrowserSecret, Started
from tenants.models import ConnectSession


def bind(response: HttpResponse, started: Started, session: ConnectSession) -> None:
    """Give the browser the flow's secret. Effects: one Set-Cookie, named after the flow."""
    left = int((session.expires_at - timezone.now()).total_seconds())
    # Lax and not Strict: the provider's redirect back to us comes from another site.
    response.set_cookie(
        name(started.flow_id),
        started.browser_secret,
        # The result page and its "Try again" need it as long as the session lives.
        max_age=max(settings.AUTHORIZATION_REQUEST_SECONDS, left),
        secure=over_https(),
        httponly=True,
        samesite="Lax",
    )


def browser_secret(request: HttpRequest) -> BrowserSecret:
    """Return how to find what this browser holds for a flow."""
    return lambda flow_id: request.COOKIES.get(name(flow_id))


def name(flow_id: uuid.UUID) -> str:
    """One cookie a flow, so that two tabs do not overwrite each other's."""
    return f"{settings.COOKIE_PREFIX}flow-{flow_id.hex[:8]}"


def over_https() -> bool:
    return bool(settings.PUBLIC_URL.startswith("https://"))
