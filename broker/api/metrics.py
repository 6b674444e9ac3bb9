"""GET /metrics, for Prometheus and what reads its format."""

from broker.api.hot import Environ
from broker.api.reply import Reply, encoded
from broker.services import callers
from broker.services.metrics import CONTENT_TYPE, metrics
from broker.services.source import source_of


def page(environ: Environ) -> Reply:
    """How the whole broker stands, for a caller with `metrics.read` over all tenants and providers."""
    presented = callers.parse(environ.get("HTTP_AUTHORIZATION"), source_of(environ))
    return encoded(metrics.text(callers.authenticate(presented)), CONTENT_TYPE)
