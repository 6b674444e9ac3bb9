"""Addresses of the API. The hot routes come first: the first match wins, and they skip the described layer."""

from django.urls import path, re_path, register_converter
from django.urls.converters import StringConverter

from broker.api import docs, forward_auth, health, problems, views
from broker.api.routes import api


class _Whole(StringConverter):
    """All the rest of a path: Django's own ends before a line break, of which the view has to say what it thinks."""

    regex = r"[\s\S]+"


register_converter(_Whole, "whole")
urlpatterns = [
    path("v1/connections/<str:connection_id>/token", views.connection_token),
    path("v1/tenants/<str:tenant>/providers/<str:provider>/token", views.provider_token),
    path("v1/connections/<str:connection_id>/headers", views.connection_headers),
    path("v1/tenants/<str:tenant>/providers/<str:provider>/headers", views.provider_headers),
    path("v1/tokens", views.tokens),
    path("v1/forward-auth/connections/<str:connection_id>", forward_auth.by_connection),
    path("v1/forward-auth/connections/<str:connection_id>/<whole:rest>", forward_auth.by_connection),
    path("v1/forward-auth/tenants/<str:tenant>/providers/<str:provider>", forward_auth.by_name),
    path("v1/forward-auth/tenants/<str:tenant>/providers/<str:provider>/<whole:rest>", forward_auth.by_name),
    # The framework's own root answers in HTML.
    re_path(r"^v1/?$", problems.route_not_found),
    path("v1/", api.urls),
    re_path(r"^v1/", problems.route_not_found),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", views.metrics),
    path("docs", docs.page),
]
