"""A new client secret: tried by one renewal first, with the old one beside it for as long as staff keep that."""

from datetime import datetime

from django.db import transaction

from broker.errors import InvalidRequest
from broker.services import client_secrets, credentials, register
from broker.services.gate_view import view
from providers.messages import Secret
from tenants import audit
from tenants.audit import Actor
from tenants.models import ClientRegistration
from tenants.querysets import gates


def replace(
    row: ClientRegistration,
    new: Secret,
    *,
    keep_old: bool = False,
    expires_at: datetime | None = None,
    actor: Actor,
) -> None:
    """Store a new client secret; keep_old: beside the one that works now, which is tried where the new one is refused.

    Shape: expires_at is when the provider ends the new one, if it does.
    Raises: InvalidRequest when it is stored already, SealBroken or KeyUnavailable when the old ones cannot be opened.
    Effects: the row, one audit event; one renewal is due at once and goes first, the others follow when it succeeds.
    """
    with transaction.atomic():
        locked = _locked(row)
        kept = client_secrets.opened(locked).client_secrets if keep_old else ()
        if keep_old and new in credentials.registration_value(locked).client_secrets:
            raise InvalidRequest("this client secret is stored already")
        register.seal_secrets(locked, [*kept, new])
        locked.secret_expires_at = expires_at
        locked.save(update_fields=["sealed_secrets", "data_key", "secret_expires_at"])
        gates.ensure(row.pk)
        gates.try_secret(row.pk)
        gates.make_one_due(row.pk)
        _record(locked, "registration.secrets_replaced", actor, kept=len(kept))
    view.forget()


def drop_old(row: ClientRegistration, *, actor: Actor) -> None:
    """Forget the old client secret, now that the provider accepts the new one.

    Raises: InvalidRequest when there is none, or when the provider has not accepted the new one yet.
    Effects: the row, one audit event.
    """
    with transaction.atomic():
        locked = _locked(row)
        newest, *old = credentials.registration_value(locked).client_secrets or (None,)
        if newest is None or not old:
            raise InvalidRequest("there is no old client secret beside the new one")
        gate = gates.one(row.pk)
        untried = gate is not None and gate.state != "closed" and gate.cause == gates.CANARY and gate.step == 0
        if gate is not None and (gate.preferred_secret or untried):
            raise InvalidRequest("the provider has not accepted the new client secret yet: the old one is needed")
        register.seal_secrets(locked, [newest])
        locked.save(update_fields=["sealed_secrets", "data_key"])
        _record(locked, "registration.old_secret_dropped", actor)


def _locked(row: ClientRegistration) -> ClientRegistration:
    """Two people who replace a secret in one moment do so one after the other."""
    return ClientRegistration.objects.select_for_update(of=("self",)).select_related("data_key").get(pk=row.pk)


def _record(row: ClientRegistration, action: str, actor: Actor, **detail: object) -> None:
    audit.record(action, actor, tenant_id=row.tenant_id, detail={"client_id": row.client_id, **detail})
