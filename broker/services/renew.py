"""The one place a credential is renewed: for the API, beat, admin and commands alike.

Claim the slot (one conditional update: lease, fence + 1, intent) -> read again -> prepare everything that can fail ->
mark the intent `sending` -> one POST, outside any transaction -> seal and commit the pair first -> only then look
closer. `renewal_outcomes` holds what follows from each answer.
"""

import logging
import os
import random
import socket
import time
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from broker.services import credentials, directory, renewal_outcomes
from broker.services.renewal_outcomes import Outcome, Sent
from providers.errors import ProviderError
from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential
from tenants.errors import TenantsError
from tenants.models import Connection, State
from tenants.querysets import slots
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
OWNER = f"{socket.gethostname()}:{os.getpid()}"[:100]
_RENEWABLE = (State.CONNECTED, State.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    connection: Connection
    registration: Registration
    credential: OAuthCredential


def renew_now(connection_id: UUID, *, version: int | None = None) -> Outcome:
    """Renew whether due or not, unless the stored version is newer than `version` already.

    Raises: nothing of the provider's; the Outcome says what came of it. BUSY means that somebody else holds the slot.
    Effects: at most one token request; rows as `renewal_outcomes` says.
    """
    claim = slots.claim_one(connection_id, owner=OWNER, lease_seconds=settings.RENEWAL_LEASE_SECONDS)
    return _renew(claim, unless_newer_than=version) if claim else Outcome.BUSY


def renew_reported(connection_id: UUID, *, version: int) -> Outcome:
    """Renew because a caller got 401 with this version: at most once a minute for one version.

    An `invalid_grant` now needs no second look: the API and the token endpoint have each said no.
    """
    claim = slots.claim_forced(connection_id, version, owner=OWNER, lease_seconds=settings.RENEWAL_LEASE_SECONDS)
    return _renew(claim, unless_newer_than=version, confirmed=True) if claim else Outcome.BUSY


def renew_claimed(connection_id: UUID, fence: int) -> Outcome:
    """Carry out a claim that the sweep made; a second delivery of the same task finds it used up."""
    claim = slots.resume(connection_id, fence)
    return _renew(claim) if claim else Outcome.BUSY


def _renew(claim: Claim, *, unless_newer_than: int | None = None, confirmed: bool = False) -> Outcome:
    if database.in_atomic_block:
        raise RuntimeError("a renewal inside a transaction would hold it open for the provider's whole answer")
    try:
        prepared = _prepare(claim, unless_newer_than)
    except (TenantsError, ProviderError) as error:
        return renewal_outcomes.preparation_failed(claim, error)
    if prepared is None:
        slots.release(claim)
        return Outcome.FRESH
    if not slots.mark_sending(claim, lease_seconds=settings.RENEWAL_LEASE_SECONDS):
        return Outcome.BUSY
    return _send(claim, prepared, confirmed)


def _prepare(claim: Claim, unless_newer_than: int | None) -> _Prepared | None:
    """Read again under the claim and open what the request needs; None when there is nothing to do."""
    row = Connection.objects.select_related("registration__data_key", "credential__data_key").get(
        pk=claim.connection_id
    )
    stored = getattr(row, "credential", None)
    if row.state not in _RENEWABLE or stored is None:
        return None
    if unless_newer_than is not None and stored.version > unless_newer_than:
        return None
    return _Prepared(
        connection=row,
        registration=credentials.registration_value(row.registration),
        credential=credentials.open_current(stored, row.tenant_id),
    )


def _send(claim: Claim, prepared: _Prepared, confirmed: bool) -> Outcome:
    provider = directory.provider(prepared.connection.provider_id)
    started = time.monotonic()
    sent = Sent(
        claim=claim,
        connection=prepared.connection,
        credential=prepared.credential,
        definition=provider.definition,
        confirmed=confirmed,
        chance=random.random(),  # noqa: S311  jitter
    )
    try:
        response = provider.renew(prepared.registration, prepared.credential)
    except ProviderError as error:
        return renewal_outcomes.failed(sent, error)
    except Exception:
        # Whatever it was, the request may have left: the intent must survive as uncertain, never be forgotten.
        logger.exception("renewal broke while sending", extra={"connection_id": claim.connection_id})
        return renewal_outcomes.broke(sent)
    return renewal_outcomes.succeeded(sent, response, elapsed_seconds=time.monotonic() - started)
