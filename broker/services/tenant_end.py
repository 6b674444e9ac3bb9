"""Delete a tenant: nothing is served from the first moment, everything is revoked, and then nothing of it opens again.

`begin` is one short transaction. All that follows may take hours, because providers have to be told: `go_on` does a
part of it at a time, and begins where the last one stopped, crash or not. The audit log stays.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from broker.services import revoke
from tenants import audit
from tenants.audit import Actor
from tenants.models import (
    ApiKey,
    AuthorizationRequest,
    Caller,
    Connection,
    ConnectSession,
    CredentialOrphan,
    State,
    Tenant,
)
from tenants.querysets import ending

logger = logging.getLogger(__name__)
# Longer than any request to a provider that had left before: what it brings still finds its connection, and is revoked.
_QUIET = timedelta(minutes=10)
_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What still stands between a tenant and its end. Shape: connections are those that have not been ended yet."""

    connections: int
    revocations: int
    flows: int


def begin(tenant: Tenant, *, actor: Actor) -> bool:
    """Stop serving a tenant for good; False when that has happened before.

    Effects: one transaction: no caller sees the tenant any more, keys that served nobody else are revoked, its connect
    links are over; `go_on` does the rest.
    """
    with transaction.atomic():
        if not Tenant.objects.filter(pk=tenant.pk, deleted_at=None).update(deleted_at=Now()):
            return False
        _revoke_keys(tenant, actor)
        tenant.callers.clear()
        ConnectSession.objects.filter(tenant=tenant, expires_at__gt=Now()).update(expires_at=Now())
        AuthorizationRequest.objects.filter(tenant=tenant, expires_at__gt=Now()).update(expires_at=Now())
        detail = {"slug": tenant.slug, "connections": remaining(tenant).connections}
        audit.record("tenant.deletion_begun", actor, tenant_id=tenant.pk, detail=detail)
    tenant.refresh_from_db(fields=["deleted_at"])
    return True


def _revoke_keys(tenant: Tenant, actor: Actor) -> None:
    callers = Caller.objects.filter(all_tenants=False, tenants=tenant)
    alone = Caller.objects.filter(pk__in=callers.values("pk")).annotate(served=Count("tenants")).filter(served=1)
    keys = ApiKey.objects.select_related("caller").filter(caller__in=alone.values("pk"), revoked_at=None)
    for key in list(keys):
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=Now())
        detail = {"caller": key.caller.name, "key_id": key.key_id}
        audit.record("caller.key_revoked", actor, tenant_id=None, detail=detail)


def remaining(tenant: Tenant) -> Remaining:
    """Return what is left to do before the tenant's rows can go."""
    return Remaining(
        connections=Connection.objects.filter(tenant=tenant).exclude(state=State.DISCONNECTED).count(),
        revocations=CredentialOrphan.objects.filter(tenant_id=tenant.pk, outcome__in=_WAITING).count(),
        flows=AuthorizationRequest.objects.filter(tenant=tenant).exclude(sealed_credential=None).count(),
    )


_WAITING = (CredentialOrphan.Outcome.REVOKE, CredentialOrphan.Outcome.HELD, CredentialOrphan.Outcome.PARKED)


def go_on(*, limit: int = _BATCH) -> int:
    """Do a part of what is left of all tenants that are being deleted: end connections, else delete what has ended.

    Returns how many rows it ended or deleted; 0: there is nothing to do now.
    """
    done = 0
    for tenant in Tenant.objects.exclude(deleted_at=None).order_by("deleted_at"):
        done += end_connections(tenant, limit=limit - done)
        if done >= limit:
            break
        done += _finish(tenant, limit=limit)
    return done


def go_on_for(*, seconds: float) -> int:
    """As go_on, again and again while there is something to do and time is left."""
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end and (step := go_on()):
        done += step
    return done


def end_connections(tenant: Tenant, *, limit: int) -> int:
    """Disconnect so many of a tenant's connections, each in a transaction of its own. Returns how many.

    Effects: the provider is told at the next sweeps: nobody is asked here.
    """
    live = Connection.objects.filter(tenant=tenant).exclude(state=State.DISCONNECTED).order_by("pk")
    ended = list(live[:limit])
    for connection in ended:
        revoke.end_here(connection, actor=audit.SYSTEM)
    return len(ended)


def _finish(tenant: Tenant, *, limit: int) -> int:
    """Delete a tenant's rows once no token of it is left that somebody could still be told of."""
    if not _quiet(tenant) or remaining(tenant) != Remaining(connections=0, revocations=0, flows=0):
        return 0
    with transaction.atomic():
        # Everybody who could add something holds this row, or finds the tenant deleted.
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        ending.remove_links(tenant.pk)
        removed = ending.remove_connections(tenant.pk, limit=limit)
        if removed == limit:
            return removed
        ending.remove_tenant(tenant.pk)
        audit.record("tenant.deleted", audit.SYSTEM, tenant_id=tenant.pk, detail={"slug": tenant.slug})
    logger.info("a tenant is deleted", extra={"tenant_id": tenant.pk})
    return removed + 1


def _quiet(tenant: Tenant) -> bool:
    recent = Q(state_changed_at__gt=Now() - _QUIET)
    if Connection.objects.filter(recent, tenant=tenant).exists():
        return False
    return Tenant.objects.filter(pk=tenant.pk, deleted_at__lt=Now() - _QUIET).exists()
