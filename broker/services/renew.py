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

from broker.errors import BrokerError
from broker.services import credentials, directory, probing, renewal_outcomes, states
from broker.services.renewal_outcomes import Outcome, Sent
from providers.definition import Traits
from providers.errors import DefinitionError, ProviderError, UnsupportedOperation
from providers.interface import RENEWS, Renews
from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential
from tenants.errors import TenantsError
from tenants.models import Connection, Reason, RenewalSlot
from tenants.querysets import slots
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
OWNER = f"{socket.gethostname()}:{os.getpid()}"[:100]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    connection: Connection
    provider: Renews
    traits: Traits
    registration: Registration
    credential: OAuthCredential


def renew_now(connection_id: UUID, *, version: int | None = None) -> Outcome:
    """Renew whether due or not, unless the stored version is newer than `version` already.

    Raises: nothing of the provider's; the Outcome says what came of it. BUSY means that somebody else holds the slot,
            UNSUPPORTED that there is nothing to renew with: nobody is at fault.
    Effects: at most one token request; rows as `renewal_outcomes` says.
    """
    if not can_renew(connection_id):
        return Outcome.UNSUPPORTED
    claim = slots.claim_one(connection_id, owner=OWNER, lease_seconds=settings.RENEWAL_LEASE_SECONDS)
    return _renew(claim, unless_newer_than=version) if claim else Outcome.BUSY


def can_renew(connection_id: UUID) -> bool:
    """Tell whether a connection that is in use has a way to a fresh credential without the customer.

    One that is not in use counts as renewable: that there is nothing to renew is found out under the claim.
    """
    row = Connection.objects.select_related("registration", "slot").filter(pk=connection_id).first()
    if row is None or row.state not in states.LIVE:
        return True
    try:
        provider = directory.provider(row.provider_id)
        traits = provider.traits(credentials.registration_without_secrets(row.registration))
    except (ProviderError, DefinitionError, BrokerError):
        # Whatever is wrong is found again on the way to the provider, and recorded there.
        return True
    parked = not hasattr(row, "slot") or row.slot.state == RenewalSlot.State.PARKED
    return RENEWS in provider.capabilities and not traits.access_token_never_expires and not parked


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
    row = _read_again(claim)
    if row is None:
        # Nothing to renew until somebody connects or resumes: parked, or every sweep would claim it again.
        slots.park(claim, failure="")
        return Outcome.FRESH
    if unless_newer_than is not None and row.credential.version > unless_newer_than:
        slots.release(claim)
        return Outcome.FRESH
    try:
        prepared = _prepare(row)
    except UnsupportedOperation:
        return renewal_outcomes.unsupported(claim)
    except (TenantsError, ProviderError, DefinitionError, BrokerError) as error:
        return renewal_outcomes.preparation_failed(claim, error)
    sent = _about_to_send(claim, prepared, confirmed)
    if (wait := renewal_outcomes.wait_in_doubt(sent)) > 0:
        return renewal_outcomes.stay_in_doubt(sent, wait)
    if not slots.mark_sending(claim, lease_seconds=settings.RENEWAL_LEASE_SECONDS):
        return Outcome.BUSY
    return _send(sent, prepared)


def _read_again(claim: Claim) -> Connection | None:
    """Return the connection as it is now that the slot is ours; None when it is not to be renewed."""
    rows = Connection.objects.select_related("registration__data_key", "credential__data_key")
    row = rows.get(pk=claim.connection_id)
    return row if row.state in states.LIVE and hasattr(row, "credential") else None


def _prepare(row: Connection) -> _Prepared:
    """Open what the request needs: everything that can fail fails before anything is sent."""
    registration = credentials.registration_value(row.registration)
    provider = directory.provider(row.provider_id)
    provider.environment(registration)
    credential = credentials.open_current(row.credential, row.tenant_id)
    if not isinstance(provider, Renews) or not isinstance(credential, OAuthCredential):
        raise provider.unsupported(RENEWS)
    return _Prepared(
        connection=row,
        provider=provider,
        traits=provider.traits(registration),
        registration=registration,
        credential=credential,
    )


def _about_to_send(claim: Claim, prepared: _Prepared, confirmed: bool) -> Sent:
    return Sent(
        claim=claim,
        connection=prepared.connection,
        credential=prepared.credential,
        traits=prepared.traits,
        confirmed=confirmed,
        chance=random.random(),  # noqa: S311  jitter
    )


def _send(sent: Sent, prepared: _Prepared) -> Outcome:
    started = time.monotonic()
    try:
        response = prepared.provider.renew(prepared.registration, prepared.credential)
    except ProviderError as error:
        return renewal_outcomes.failed(sent, error)
    except Exception:
        # Whatever it was, the request may have left: the intent must survive as uncertain, never be forgotten.
        logger.exception("renewal broke while sending", extra={"connection_id": sent.claim.connection_id})
        return renewal_outcomes.broke(sent)
    outcome = renewal_outcomes.succeeded(sent, response, elapsed_seconds=time.monotonic() - started)
    if outcome is Outcome.RENEWED and sent.connection.reason == Reason.ACCOUNT_UNVERIFIED:
        # A token says nothing of the account behind it; asking the API does.
        probing.look_again(sent.connection.pk)
    return outcome
