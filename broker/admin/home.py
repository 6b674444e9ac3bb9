"""What the home page says first: what is wrong, and where to look."""

from dataclasses import dataclass

from django.db.models import Count
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse

from broker.admin import gate_facts, words
from broker.services import forecast
from broker.services.plain_words import STATE_WORDS
from tenants.models import ClientRegistration, Connection, RenewalSlot, State

_TROUBLED = (State.REAUTHORIZATION_REQUIRED, State.DEGRADED, State.SUSPENDED, State.PENDING)
_INCIDENTS_SHOWN = 10
_ENDS_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Troubled:
    """How many connections are in one troubled state, and the list of them."""

    state: str
    words: str
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that the home page shows above its list of models."""

    troubled: list[Troubled]
    incidents: list[ClientRegistration]
    refused_secrets: list[ClientRegistration]
    overdue: RenewalSlot | None
    overdue_for: str
    ends: int


def panel(request: HttpRequest) -> Panel | None:
    """Return the panel; None for staff without the right to see connections. Effects: five queries, all small."""
    if not request.user.has_perm("tenants.view_connection"):
        return None
    overdue = _oldest_overdue()
    may_see_registrations = request.user.has_perm("tenants.view_clientregistration")
    return Panel(
        troubled=_troubled(),
        incidents=_incidents() if may_see_registrations else [],
        refused_secrets=gate_facts.refused_secrets() if may_see_registrations else [],
        overdue=overdue,
        overdue_for=words.distance(overdue.due_at) if overdue and overdue.due_at else "",
        ends=forecast.ends_to_come()[:_ENDS_COUNTED].count(),
    )


def _troubled() -> list[Troubled]:
    rows = Connection.objects.filter(state__in=_TROUBLED).order_by().values("state").annotate(count=Count("pk"))
    counts = {row["state"]: row["count"] for row in rows}
    base = reverse("admin:tenants_connection_changelist")
    return [
        Troubled(state.value, STATE_WORDS[state], counts.get(state.value, 0), f"{base}?state={state.value}")
        for state in _TROUBLED
    ]


def _incidents() -> list[ClientRegistration]:
    rows = ClientRegistration.objects.exclude(incident_since=None).select_related("tenant").defer("sealed_secrets")
    return list(rows.order_by("incident_since")[:_INCIDENTS_SHOWN])


def _oldest_overdue() -> RenewalSlot | None:
    rows = RenewalSlot.objects.filter(state=RenewalSlot.State.SCHEDULED, due_at__lt=Now())
    return rows.select_related("connection__tenant").order_by("due_at").first()
