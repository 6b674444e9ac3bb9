"""Tokens for sets of scopes that are due; and what has ended and can go."""

import logging
from datetime import timedelta

from django.db.models.functions import Now

from broker.services import abandoned, minting, orphans, parked, publishing
from tenants.models import AuthorizationRequest, ConnectSession
from tenants.querysets import idempotent, minted
from tenants.querysets.rows import database_now

logger = logging.getLogger(__name__)
_KEPT = timedelta(days=1)


def mint_due(limit: int) -> int:
    """Renew tokens for sets of scopes that are due and in use, at most so many. Returns how many were tried."""
    tried = 0
    while tried < limit and minting.mint_due():
        tried += 1
    return tried


def purge_ended() -> int:
    """Delete flows and links that ended a day ago, once they hold no tokens any more. Returns how many rows.

    Tokens for sets of scopes go as well when they have ended and nobody asks for them, answers that need not be given
    again, and events that have been kept for long enough.
    """
    abandoned.end_abandoned()
    parked.end_unattended()
    orphans.let_go_of_superseded()
    deleted = minted.purge() + idempotent.purge() + publishing.purge(database_now())
    for rows in (
        AuthorizationRequest.objects.filter(expires_at__lt=Now() - _KEPT),
        ConnectSession.objects.filter(expires_at__lt=Now() - _KEPT),
    ):
        deleted += rows.delete()[0]
    return deleted
