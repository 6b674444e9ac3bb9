"""The hot routes as Django's views: what `front` serves below it, for whatever reaches Django. And metrics, alike."""

from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse

from broker.api import batch, front, headers, problems, token
from broker.api import metrics as broker_metrics
from broker.api.reply import Reply, as_response


def connection_token(request: HttpRequest, connection_id: str) -> HttpResponse:
    """GET /v1/connections/{id}/token"""
    return _response(request, "GET", token.by_id, connection_id)


def provider_token(request: HttpRequest, tenant: str, provider: str) -> HttpResponse:
    """GET /v1/tenants/{tenant}/providers/{provider}/token"""
    return _response(request, "GET", token.by_name, tenant, provider)


def connection_headers(request: HttpRequest, connection_id: str) -> HttpResponse:
    """POST /v1/connections/{id}/headers"""
    return _response(request, "POST", headers.by_id, connection_id)


def provider_headers(request: HttpRequest, tenant: str, provider: str) -> HttpResponse:
    """POST /v1/tenants/{tenant}/providers/{provider}/headers"""
    return _response(request, "POST", headers.by_name, tenant, provider)


def tokens(request: HttpRequest) -> HttpResponse:
    """POST /v1/tokens"""
    return _response(request, "POST", batch.tokens)


def metrics(request: HttpRequest) -> HttpResponse:
    """GET /metrics"""
    return _response(request, "GET", broker_metrics.page)


def _response(request: HttpRequest, method: str, handler: Callable[..., Reply], *words: str) -> HttpResponse:
    if request.method != method:
        return problems.method_not_allowed(method)
    return as_response(front.handled(handler, words, request.META, connection))
