"""GET /metrics, for Prometheus and what reads its format."""

from broker.api.hot import Environ, presented_by
from broker.api.reply import Reply, encoded
from broker.services import callers
from broker.services.metrics import CONTENT_TYPE, metrics


def page(environ: Environ) -> Reply:
    """How the whole broker stands, for a caller with `metrics.read` over all tenants and providers."""
    return encoded(metrics.text(callers.authenticate(presented_by(environ))), CONTENT_TYPE)
