"""Remember which scopes a provider has granted, and tell when they become fewer."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from broker.services import outbox
from tenants import audit
from tenants.audit import Actor
from tenants.models import Connection

_REDUCED = "connection.scope_reduced"


def note(row: Connection, before: Sequence[str], now: Sequence[str], *, actor: Actor = audit.SYSTEM) -> None:
    """Store what is granted now in place of what was granted before; nothing when it was replaced meanwhile.

    A provider that names no scopes says nothing: neither did that give any, nor does it take any away.
    Effects: the row; when scopes are gone, an audit and an outbox event in the same transaction.
    """
    with transaction.atomic():
        rows = Connection.objects.filter(pk=row.pk, scopes_granted=list(before))
        if rows.update(scopes_granted=list(now)) and now:
            _tell(row, sorted(set(before) - set(now)), now, actor)


def _tell(row: Connection, lost: list[str], now: Sequence[str], actor: Actor) -> None:
    if not lost:
        return
    audit.record_for(row, _REDUCED, actor, missing=lost)
    told: dict[str, Any] = {"provider": row.provider_id, "scopes_lost": lost, "scopes_granted": list(now)}
    outbox.write(_REDUCED, tenant_id=row.tenant_id, connection_id=row.pk, **told)
