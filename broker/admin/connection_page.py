"""One connection's page: what is the matter, the one next step, the facts, what happened, who reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse

from broker.admin import base, catalogue_facts, connection_facts, credential_facts, words
from broker.admin.parked_verbs import PARKED_VERBS
from broker.admin.verbs import VERBS, Verb
from broker.services import advice, parked, revoke, timeline
from tenants import audit
from tenants.models import AuditEvent, Caller, Connection, IssueCount, Reason

_TIMELINE_LENGTH = 100
_VIEW_AGAIN_AFTER = timedelta(minutes=10)
VIEWED = "staff.viewed"
# Who looked has a place of its own; what was signed is in the audit log.
_NOT_SHOWN = (VIEWED, "request.signed")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline."""

    at: datetime
    who: str
    sentence: str
    action: str
    source: str


@dataclass(frozen=True, slots=True)
class Reads:
    """How often one key read one version of the tokens in one hour, from where, and for whom."""

    hour: datetime
    caller: str
    key_id: str
    source: str
    on_behalf_of: str
    version: int
    count: int
    last_at: datetime


def context(request: HttpRequest, connection: Connection) -> dict[str, Any]:
    """Return what the template shows. Shape: connection with tenant and registration selected."""
    waiting = parked.waiting(connection)
    counsel = advice.advise(
        connection.state,
        connection.reason,
        registration_refused=connection.registration.incident_since is not None,
        revocation_pending=revoke.revocation_of(connection.pk) == "pending",
    )
    return {
        "connection": connection,
        "name": words.name_of(connection),
        "provider_name": words.provider_name(connection.provider_id),
        "badge": words.badge(connection.state),
        "reason": _reason(connection),
        "advice": counsel,
        "mood": "refused" if connection.registration.incident_since else connection.state,
        "buttons": buttons(request, connection),
        "waiting": waiting,
        "waiting_buttons": buttons(request, connection, PARKED_VERBS) if waiting else [],
        "facts": connection_facts.of(connection),
        "scopes": connection_facts.scopes(connection),
        "scope_sets": credential_facts.scope_sets(connection),
        "ending": catalogue_facts.ending(connection.provider_id),
        "timeline": _timeline(connection),
        "all_events_url": f"{reverse('admin:tenants_auditevent_changelist')}?connection={connection.pk}",
        "viewers": _viewers(connection),
        "reads": _reads(connection),
    }


def buttons(request: HttpRequest, connection: Connection, verbs: Mapping[str, Verb] = VERBS) -> list[Verb]:
    """Return the verbs that this person may use and that make sense in this state."""
    return [
        verb
        for verb in verbs.values()
        if connection.state in verb.states and request.user.has_perm(f"tenants.{verb.permission}_connection")
    ]


def note_view(request: HttpRequest, connection: Connection) -> None:
    """Record that somebody of staff looked: once a visit, not once for each reload."""
    recent = AuditEvent.objects.filter(
        connection_id=connection.pk,
        action=VIEWED,
        actor=request.user.get_username(),
        at__gt=Now() - _VIEW_AGAIN_AFTER,
    )
    if not recent.exists():
        audit.record_for(connection, VIEWED, base.staff(request))


def _reason(connection: Connection) -> str:
    return str(Reason(connection.reason).label) if connection.reason in Reason.values else connection.reason


def _timeline(connection: Connection) -> list[Event]:
    rows = AuditEvent.objects.filter(connection_id=connection.pk).exclude(action__in=_NOT_SHOWN).order_by("-id")
    return [
        Event(row.at, who(row), timeline.sentence(row.action, row.detail), row.action, row.source)
        for row in rows[:_TIMELINE_LENGTH]
    ]


def who(event: AuditEvent) -> str:
    """Return the actor in words."""
    kinds = {"customer": "The customer", "system": "The broker", "caller": "Service", "staff": "Staff"}
    name = f"{kinds.get(event.actor_kind, event.actor_kind)} {event.actor}".strip()
    return f"{name} for {event.on_behalf_of}" if event.on_behalf_of else name


def _viewers(connection: Connection) -> list[Event]:
    rows = AuditEvent.objects.filter(connection_id=connection.pk, action=VIEWED).order_by("-id")[:5]
    return [Event(row.at, row.actor, "", row.action, row.source) for row in rows]


def _reads(connection: Connection) -> list[Reads]:
    recent = IssueCount.objects.filter(connection_id=connection.pk, hour__gt=Now() - timedelta(hours=25))
    rows = recent.defer("fingerprint")
    counted = list(rows.order_by("-hour", "-reads")[:100])
    names = dict(Caller.objects.filter(pk__in={row.caller_id for row in counted}).values_list("pk", "name"))
    return [
        Reads(
            hour=row.hour,
            caller=names.get(row.caller_id, f"deleted caller {row.caller_id}"),
            key_id=row.key_id,
            source=row.source,
            on_behalf_of=row.on_behalf_of,
            version=row.version,
            count=row.reads,
            last_at=row.last_at,
        )
        for row in counted
    ]
