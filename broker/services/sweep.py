"""What is due, as ids; and what has ended and can go."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from broker.services import abandoned, minting
from broker.services.renew import OWNER
from tenants.models import AuthorizationRequest, ConnectSession
from tenants.querysets import minted, slots
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
_KEPT = timedelta(days=1)


def claim_due(limit: int | None = None) -> list[Claim]:
    """Claim a batch of due slots. The claims are handed on by id and fence; an unused one ends with its lease."""
    return slots.claim_due(
        limit=limit or settings.RENEWAL_BATCH, owner=OWNER, lease_seconds=settings.RENEWAL_LEASE_SECONDS
    )


def mint_due(limit: int) -> int:
    """Renew tokens for sets of scopes that are due and in use, at most so many. Returns how many were tried."""
    tried = 0
    while tried < limit and minting.mint_due():
        tried += 1
    return tried


def purge_ended() -> int:
    """Delete flows and links that ended a day ago, once they hold no tokens any more. Returns how many rows.

    Tokens for sets of scopes go as well when they have ended and nobody asks for them.
    """
    abandoned.end_abandoned()
    deleted = minted.purge()
    for rows in (
        AuthorizationRequest.objects.filter(expires_at__lt=Now() - _KEPT),
        ConnectSession.objects.filter(expires_at__lt=Now() - _KEPT),
    ):
        deleted += rows.delete()[0]
    return deleted
