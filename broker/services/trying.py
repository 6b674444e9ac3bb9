"""Staff have repaired something at a provider: one renewal goes through a gate that is not closed, now."""

import enum

from broker.errors import BrokerError
from broker.services import incidents, probing, states
from broker.services.gate_view import view
from providers.errors import DefinitionError, ProviderError
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import ClientRegistration, Connection
from tenants.querysets import gates


class Tried(enum.Enum):
    """What came of it. RENEWING: one connection is renewed within seconds."""

    NOTHING_TO_TRY = "nothing_to_try"
    RENEWING = "renewing"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOBODY_TO_ASK = "nobody_to_ask"


def try_now(registration: ClientRegistration, *, actor: Actor) -> Tried:
    """Let one probe through the registration's gate, instead of at its next time.

    Where nothing is renewed, one connection's credential is asked about at once.
    Effects: at most one question; one renewal made due; one audit event.
    """
    if not (gates.try_now(registration.pk) or gates.try_refused_secret(registration.pk)):
        return Tried.NOTHING_TO_TRY
    view.forget()
    detail = {"registration_id": str(registration.pk), "client_id": registration.client_id}
    audit.record("registration.try_requested", actor, tenant_id=registration.tenant_id, detail=detail)
    return Tried.RENEWING if gates.make_one_due(registration.pk) else _asked(registration)


def _asked(registration: ClientRegistration) -> Tried:
    rows = Connection.objects.filter(registration=registration, state__in=states.LIVE).exclude(credential=None)
    one = rows.select_related("registration").order_by("?").first()
    if one is None or not probing.can_probe(one):
        return Tried.NOBODY_TO_ASK
    try:
        probing.probe(one.pk)
    except (ProviderError, DefinitionError, BrokerError, TenantsError):
        return Tried.REFUSED
    incidents.heal(one)
    return Tried.ACCEPTED
