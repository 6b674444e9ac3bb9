"""Flows that ended while they held tokens: nobody chose a company, or a process died. No tokens are left lying."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from broker.services import choosing, orphans
from tenants import audit
from tenants.errors import TenantsError
from tenants.models import AuthorizationRequest

logger = logging.getLogger(__name__)
_BATCH = 100
_GIVE_UP_AFTER = timedelta(hours=20)


def end_abandoned() -> int:
    """Revoke what expired flows hold, where the provider can, and shred it. Returns how many flows.

    A provider that does not answer is told at the next purge; after most of a day the tokens are shredded all the same.
    """
    rows = AuthorizationRequest.objects.select_related("data_key", "registration__data_key", "session")
    expired = rows.filter(expires_at__lt=Now()).exclude(sealed_credential=None).order_by("expires_at")[:_BATCH]
    return sum(_end(flow) for flow in expired)


def _end(flow: AuthorizationRequest) -> bool:
    revoked = _revoke(flow)
    if revoked is None and timezone.now() - flow.expires_at < _GIVE_UP_AFTER:
        return False
    with transaction.atomic():
        holding = AuthorizationRequest.objects.filter(pk=flow.pk).exclude(sealed_credential=None)
        ended = holding.update(
            sealed_credential=None,
            status=AuthorizationRequest.Status.CONSUMED,
            outcome=flow.outcome or "expired",
        )
        if ended:
            audit.record(
                "authorization.abandoned",
                audit.SYSTEM,
                tenant_id=flow.tenant_id,
                connection_id=flow.session.connection_id,
                detail={"provider": flow.provider_id, "session": str(flow.session_id), "revoked": bool(revoked)},
            )
    return bool(ended)


def _revoke(flow: AuthorizationRequest) -> bool | None:
    """True when the provider knows, False when it cannot be told, None when it did not answer."""
    try:
        held = choosing.open_held(flow)
    except TenantsError:
        logger.exception("tokens of an ended flow could not be opened", extra={"registration_id": flow.registration_id})
        return False
    if not orphans.can_be_revoked(flow.provider_id, held.credential):
        return False
    return orphans.give_back(flow.registration, held.credential) or None
