"""Addresses of the API. The hot routes come first: the first match wins, and they skip the described layer."""

from django.urls import path, re_path

from broker.api import docs, headers, health, problems, token
from broker.api.routes import api

urlpatterns = [
    path("v1/connections/<str:connection_id>/token", token.connection_token),
    path("v1/tenants/<str:tenant>/providers/<str:provider>/token", token.provider_token),
    path("v1/connections/<str:connection_id>/headers", headers.connection_headers),
    path("v1/tenants/<str:tenant>/providers/<str:provider>/headers", headers.provider_headers),
    # The framework's own root answers in HTML.
    re_path(r"^v1/$", problems.route_not_found),
    path("v1/", api.urls),
    re_path(r"^v1/", problems.route_not_found),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("docs", docs.page),
]
