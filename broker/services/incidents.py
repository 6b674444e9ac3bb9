"""One incident for a client registration that its provider refuses: staff repair it, no connection is blamed."""

import logging
import random
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from broker.services import outbox
from broker.services.gate_counts import Counts, counter
from broker.services.gate_view import view
from providers.errors import ClientRejected, ProviderError
from tenants import audit
from tenants.models import ClientRegistration, Connection
from tenants.querysets import gates, trials

logger = logging.getLogger(__name__)
MASS_REFUSALS = "mass_refusals"


def report(connection: Connection, error: ProviderError) -> None:
    """Open the incident of a connection's registration, whose credential the provider did not even look at.

    Effects: where our client is refused, renewals through the registration pause as well: one probe a minute.
    """
    registration_id = connection.registration_id
    if not _of_the_client(error):
        # Too many of these open the gate as failures do: one may hang on the one request.
        counter.add(registration_id, Counts(failed=1))
    elif counter.refused(registration_id):
        gates.ensure(registration_id)
        gates.open_for(registration_id, cause=gates.INCIDENT, seconds=gates.PROBE_SECONDS)
        view.forget()
    else:
        # Others were accepted a moment ago: this may be the matter of one customer's token, and the next one tells.
        logger.warning("our client was refused once", extra={"registration_id": registration_id})
        return
    report_for(connection.registration, error)


def _of_the_client(error: ProviderError) -> bool:
    if not isinstance(error, ClientRejected):
        return False
    return error.error in ("invalid_client", "unauthorized_client") or error.status in (None, 401)


def report_for(registration: ClientRegistration, error: ProviderError) -> None:
    """Open a registration's incident; a second report of an open one changes nothing."""
    word = error.error or type(error).__name__
    open_one(registration, word, error=error.error, description=error.description)


def open_one(registration: ClientRegistration, word: str, **detail: object) -> None:
    """Write down what is the matter with a registration, and tell staff: once, however often it is found."""
    with transaction.atomic():
        opened = ClientRegistration.objects.filter(pk=registration.pk, incident_since=None).update(
            incident_since=Now(), incident=word[:64]
        )
        if opened:
            _tell("registration.incident", registration, word[:64], **detail)
    view.forget()


def heal(connection: Connection) -> None:
    """Count a credential that was renewed or accepted: it earns trust, is what probes wait for, and ends an incident.

    Effects: in memory, while nothing is the matter as far as this process knows.
    """
    registration_id = connection.registration_id
    counter.add(registration_id, Counts(sent=1, granted=1))
    gate = view.get(registration_id)
    if connection.registration.incident_since is not None or (gate is not None and gate.troubled):
        settle(registration_id, counter.take_one(registration_id))


def settle(registration_id: UUID, counts: Counts) -> None:
    """Let a registration's gate go by what was counted, and close its incident when that is over.

    Effects: one statement; two more when something fails for the first time, or an incident may be over.
    """
    chance = random.random()  # noqa: S311  jitter
    counted = {"sent": counts.sent, "failed": counts.failed, "granted": counts.granted}
    change = trials.settle(registration_id, **counted, chance=chance)
    if change is None and counts.failed:
        gates.ensure(registration_id)
        change = trials.settle(registration_id, **counted, chance=chance)
    if change is None or change.old_state != "closed" or change.state != "closed" or change.old_cause:
        view.forget()
    # While it is open, a late success proves nothing; and one customer's not that mass refusals are over.
    if counts.granted and (change is None or (change.state != "open" and change.cause != gates.DOUBTED)):
        _close(registration_id)


def _close(registration_id: UUID) -> None:
    with transaction.atomic():
        rows = ClientRegistration.objects.filter(pk=registration_id).exclude(incident_since=None)
        closed = rows.select_for_update().defer("sealed_secrets").first()
        if closed is not None:
            rows.update(incident_since=None, incident="")
            _tell("registration.healed", closed, closed.incident)


def _tell(event: str, registration: ClientRegistration, incident: str, **detail: object) -> None:
    """A registration that all share is no tenant's: its events go to whoever has a connection through it."""
    registration_id, provider = str(registration.pk), registration.provider_id
    facts = {"registration_id": registration_id, "provider": provider, **detail}
    audit.record(event, audit.SYSTEM, tenant_id=registration.tenant_id, detail=facts)
    told: dict[str, Any] = {"registration_id": registration_id, "provider": provider, "incident": incident}
    outbox.write(event, tenant_id=registration.tenant_id, **told)
