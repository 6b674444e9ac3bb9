"""Metrics for Prometheus: how the whole broker stands, the same whichever process is asked but for its own disk."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from broker.errors import Forbidden
from broker.services import escrow, policy
from broker.services.policy import Grant
from tenants.models import Operation
from tenants.querysets import figures
from tenants.querysets.figures import Figure

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Two servers that scrape every ten seconds read the database once.
_KEPT_SECONDS = 8.0


class Described(NamedTuple):
    """What a metric says. Shape: labels in the order in which the database names their values."""

    help: str
    labels: tuple[str, ...] = ()


METRICS = {
    "connections": Described("Connections by what they stand at.", ("provider", "state", "reason")),
    "renewals_due": Described("Connections that are due for renewal, and nobody has begun.", ("provider",)),
    "renewal_lateness_seconds": Described("How long the oldest of them has been due.", ("provider",)),
    "renewals_in_doubt": Described("Renewals whose answer is not known.", ("provider",)),
    "leases_overdue": Described("Slots whose lease has ended and was not taken back.", ("provider",)),
    "registrations_held": Described(
        "Client registrations through which nothing is renewed now.", ("provider", "cause")
    ),
    "orphans": Described("Credentials that no connection holds.", ("outcome",)),
    "events_unpublished": Described("Events that no receiver has been looked for yet."),
    "event_lateness_seconds": Described("How long the oldest of them has waited."),
    "webhook_deliveries_waiting": Described("Deliveries that wait for their turn or the next try."),
    "webhook_lateness_seconds": Described("How long the oldest of them has been due."),
    "webhook_endpoints_disabled": Described("Webhook endpoints that get nothing any more.", ("because",)),
    "api_keys_ending": Described("API keys that end within 14 days."),
    "audit_days_open": Described("Days before yesterday that the audit log has not closed."),
    "escrow_files": Described("Tokens that wait on this machine's disk for the database."),
}


class Metrics:
    """The text of all metrics, made anew every few seconds. Thread-safe; one a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made: tuple[float, bytes] | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self, grant: Grant) -> bytes:
        """Return the exposition. Raises Forbidden to a caller of some tenants or providers only; DatabaseError."""
        policy.may(grant, Operation.METRICS_READ.value)
        if grant.tenant_ids is not None or grant.providers:
            raise policy.refused(grant, Forbidden("metrics are of all tenants and providers, this caller's are some"))
        with self._lock:
            now = self._clock()
            if self._made is None or self._made[0] <= now:
                self._made = (now + _KEPT_SECONDS, generate_latest(self._registry))
            return self._made[1]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the families without values: registering does not ask the database."""
        return _families().values()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the families with their values now."""
        families = _families()
        for figure in [*figures.all_of_them(), Figure("escrow_files", [], escrow.pending())]:
            families[figure.name].add_metric(figure.labels, figure.value)
        return families.values()


def _families() -> dict[str, GaugeMetricFamily]:
    return {
        name: GaugeMetricFamily(f"broker_{name}", described.help, labels=described.labels)
        for name, described in METRICS.items()
    }


metrics = Metrics()
