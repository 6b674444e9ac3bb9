"""GET /metrics, for Prometheus and what reads its format."""

from django.http import HttpRequest, HttpResponse

from broker.api.reply import as_response, problem
from broker.errors import BrokerError
from broker.services import callers, rate_limits
from broker.services.metrics import CONTENT_TYPE, metrics
from broker.services.source import source_of


def page(request: HttpRequest) -> HttpResponse:
    """How the whole broker stands, for a caller with `metrics.read` over all tenants and providers."""
    rate_limits.note(None)
    try:
        presented = callers.parse(request.META.get("HTTP_AUTHORIZATION"), source_of(request.META))
        text = metrics.text(callers.authenticate(presented))
    except BrokerError as error:
        return as_response(problem(error))
    return HttpResponse(text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
