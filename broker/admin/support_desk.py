"""The admin site itself: its name, its order, its home page."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver
from django.utils import translation

from broker.admin import home

View = TypeVar("View", bound=Callable[..., Any])
_ORDER = (
    "Connection",
    "ExpiryNotice",
    "CredentialOrphan",
    "Tenant",
    "ConnectSession",
    "ClientRegistration",
    "Caller",
    "ApiKey",
    "TrustedIssuer",
    "WebhookEndpoint",
    "WebhookDelivery",
    "AuditEvent",
    "User",
)


class SupportDesk(AdminSite):
    """Only what support and operators use, in English: half-translated pages help nobody."""

    site_header = "Token broker"
    site_title = "Token broker"
    index_title = "Support desk"
    site_url = None
    # The pages need the width: a row of links takes the place of the sidebar.
    enable_nav_sidebar = False

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        return _desk_page(super().admin_view(view, cacheable))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Nothing here has a page on a site; Django's route to it fails where ids are UUIDs.
        return [one for one in super().get_urls() if getattr(one, "name", None) != "view_on_site"]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return _desk_page(super().login)(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "panel": home.panel(request)})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """In the order of usefulness, not of the alphabet."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: _ORDER.index(model["object_name"]))
        return sorted(apps, key=lambda app: _ORDER.index(app["models"][0]["object_name"]))


def _desk_page(view: View) -> View:
    @wraps(view)
    def handle(*args: Any, **kwargs: Any) -> Any:
        # Not undone here: templates are rendered after the view; the next request sets its own language.
        translation.activate("en")
        response = view(*args, **kwargs)
        # Under no-referrer, browsers send `Origin: null` with a form, which the CSRF check has to refuse.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return cast(View, handle)


desk = SupportDesk(name="admin")
desk.disable_action("delete_selected")
