"""The one place a token for a further set of scopes is made: for the API, the sweep and reports alike.

Make room -> claim the row (one conditional update: a lease) -> open what the request needs -> one request, outside any
transaction -> seal and store. What goes wrong is remembered with the row, so that a storm of callers sends one request.
"""

import hashlib
import logging
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from broker import errors
from broker.errors import BrokerError
from broker.services import client_secrets, credentials, directory, gates, incidents, presence, schedule, states
from broker.services.gates import Shut
from broker.services.renewal_attempt import Outcome
from providers.definition import Traits
from providers.errors import (
    AccountUnverified,
    ClientRejected,
    DefinitionError,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
    ResponseMalformed,
    RightMissing,
    UnsupportedOperation,
)
from providers.interface import MINTS_SCOPES, Mints
from providers.messages import ClientRegistration as Registration
from providers.messages import EnteredCredential, OAuthCredential, TokenResponse
from tenants.errors import TenantsError
from tenants.models import Connection, Reason, RegistrationGate, State
from tenants.querysets import minted, slots
from tenants.querysets.minted import MintClaim

logger = logging.getLogger(__name__)
MOST_SETS = 20
# How long nobody asks again after a refusal that only a person can change.
_REFUSED_SECONDS = 60.0
_OF_A_SHUT_GATE: dict[str, Outcome] = {
    RegistrationGate.Cause.INCIDENT: Outcome.CLIENT_REJECTED,
    RegistrationGate.Cause.CANARY: Outcome.CLIENT_REJECTED,
    RegistrationGate.Cause.DOUBTS: Outcome.HELD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """What came of asking for a token. Units: retry_after in seconds."""

    outcome: Outcome
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    connection: Connection
    provider: Mints
    registration: Registration
    traits: Traits
    credential: OAuthCredential


def key_of(scopes: Iterable[str]) -> str:
    """Return what a set of scopes is found by, in whatever order they were named."""
    return hashlib.sha256(" ".join(sorted(set(scopes))).encode()).hexdigest()


def mint_now(connection_id: UUID, scopes: Sequence[str], *, version: int) -> Minted:
    """Make a token for these scopes, unless a newer one than `version` is there.

    Raises: InvalidScope when the connection has tokens for as many sets as it may.
    Effects: at most one request; BUSY means that somebody else is at it.
    """
    key = key_of(scopes)
    if not minted.make_room(connection_id, key, sorted(set(scopes)), most=MOST_SETS):
        raise errors.InvalidScope(f"this connection has tokens for {MOST_SETS} sets of scopes already; use one of them")
    lease = settings.RENEWAL_LEASE_SECONDS
    claim = minted.claim(connection_id, key, version=version, lease_seconds=lease)
    return _mint(claim) if claim else standing(connection_id, scopes)


def mint_reported(connection_id: UUID, scopes: Sequence[str], *, version: int) -> Minted:
    """Make a token because a caller got 401 with this version: at most once a minute for one version."""
    lease = settings.RENEWAL_LEASE_SECONDS
    claim = minted.claim_forced(connection_id, key_of(scopes), version=version, lease_seconds=lease)
    return _mint(claim) if claim else Minted(outcome=Outcome.BUSY)


def mint_due() -> bool:
    """Renew the token that is due first, if it was asked for since it was made. False when none is due."""
    claim = minted.claim_due(lease_seconds=settings.RENEWAL_LEASE_SECONDS)
    if claim is not None:
        _mint(claim)
    return claim is not None


def standing(connection_id: UUID, scopes: Sequence[str]) -> Minted:
    """Return what came of asking last, as long as nobody may ask again; else BUSY."""
    found = minted.standing(connection_id, key_of(scopes))
    if found is None or found.held or not found.failure:
        return Minted(outcome=Outcome.BUSY)
    return Minted(outcome=Outcome(found.failure), retry_after=found.wait)


def _mint(claim: MintClaim) -> Minted:
    started = time.monotonic()
    try:
        prepared = _prepare(claim)
        shut = gates.refused(prepared.connection.registration_id)
        if shut is not None:
            return _shut(claim, shut)
        response = prepared.provider.mint(prepared.registration, _entered(prepared), claim.scopes)
    except ProviderError as error:
        return _failed(claim, error)
    except (TenantsError, DefinitionError, BrokerError) as error:
        logger.error("no token could be made", extra={"connection_id": claim.connection_id, "error": str(error)})
        return _postponed(claim, Outcome.STORAGE_FAULT)
    except Exception:
        logger.exception("making a token broke", extra={"connection_id": claim.connection_id})
        return _postponed(claim, Outcome.UNAVAILABLE)
    return _stored(claim, prepared, response, time.monotonic() - started)


def _shut(claim: MintClaim, shut: Shut) -> Minted:
    """Nothing is asked through this registration now. What it is about is the outcome."""
    outcome = _OF_A_SHUT_GATE.get(shut.cause, Outcome.UNAVAILABLE)
    return _postponed(claim, outcome, min(shut.retry_after, _REFUSED_SECONDS))


def _prepare(claim: MintClaim) -> _Prepared:
    rows = Connection.objects.select_related("registration__data_key", "credential__data_key")
    row = rows.get(pk=claim.connection_id)
    provider = directory.provider(row.provider_id)
    credential = credentials.open_current(row.credential, row.tenant_id)
    if not isinstance(provider, Mints) or not isinstance(credential, OAuthCredential):
        raise provider.unsupported(MINTS_SCOPES)
    registration = client_secrets.opened(row.registration)
    return _Prepared(
        connection=row,
        provider=provider,
        registration=registration,
        traits=provider.traits(registration),
        credential=credential,
    )


def _entered(prepared: _Prepared) -> EnteredCredential:
    if prepared.credential.entered is None:
        raise TenantsError("a credential that tokens are made from lacks what was entered")
    return prepared.credential.entered


def _stored(claim: MintClaim, prepared: _Prepared, response: TokenResponse, elapsed: float) -> Minted:
    life = None if response.expires_in is None else max(response.expires_in - elapsed, 1.0)
    token = OAuthCredential(
        access_token=response.access_token,
        token_type=response.token_type,
        scope=claim.scopes if response.scope is None else response.scope,
        extras={**prepared.credential.extras, **response.extras},
    )
    version = minted.next_version(claim)
    sealed = credentials.seal_minted(prepared.connection.tenant_id, claim.id, version, token)
    due = schedule.due_in(life, random.random(), prepared.traits)  # noqa: S311  jitter
    kept = minted.store(claim, version=version, sealed=sealed.blob, data_key_id=sealed.key.id, life=life, due=due)
    incidents.heal(prepared.connection)
    return Minted(outcome=Outcome.RENEWED if kept else Outcome.BUSY)


def _failed(claim: MintClaim, error: ProviderError) -> Minted:
    """Classify a failure by whose turn it is, as a renewal's would be."""
    logger.info("minting failed", extra={"connection_id": claim.connection_id, "failure": type(error).__name__})
    _tell_gate(claim, error)
    if isinstance(error, GrantRejected):
        _count_against(claim.connection_id)
        return _postponed(claim, Outcome.SUSPECT, settings.RENEWAL_CONFIRM_SECONDS)
    if _of_the_scope(error):
        return _postponed(claim, Outcome.INVALID_SCOPE, _REFUSED_SECONDS)
    if isinstance(error, ClientRejected | RequestRefused):
        incidents.report(Connection.objects.select_related("registration").get(pk=claim.connection_id), error)
        return _postponed(claim, Outcome.CLIENT_REJECTED, _REFUSED_SECONDS)
    if isinstance(error, RightMissing):
        return _postponed(claim, Outcome.RIGHT_MISSING, _REFUSED_SECONDS)
    if isinstance(error, AccountUnverified):
        _unverified(claim.connection_id, error)
        return _postponed(claim, Outcome.ACCOUNT_UNVERIFIED, _REFUSED_SECONDS)
    malformed = isinstance(error, ResponseMalformed)
    retry_after = error.retry_after if isinstance(error, ProviderUnavailable) else None
    wait = schedule.backoff(claim.attempts, random.random(), retry_after)  # noqa: S311  jitter
    return _postponed(claim, Outcome.MALFORMED if malformed else Outcome.UNAVAILABLE, wait)


def _tell_gate(claim: MintClaim, error: ProviderError) -> None:
    """As after a renewal: what is counted is whether the provider answers. Incidents count refusals of ours."""
    if isinstance(error, UnsupportedOperation | ClientRejected | RequestRefused):
        return
    registration_id = Connection.objects.values_list("registration_id", flat=True).get(pk=claim.connection_id)
    throttled = isinstance(error, ProviderUnavailable) and error.throttled
    unanswered = isinstance(error, ProviderUnavailable | ResponseMalformed) and not throttled
    gates.note(registration_id, ok=not unanswered)
    if isinstance(error, ProviderUnavailable) and throttled:
        gates.throttle(registration_id, error.retry_after)


def _of_the_scope(error: ProviderError) -> bool:
    refused_here = isinstance(error, RequestRefused) and error.field == "scope"
    return refused_here or (isinstance(error, ClientRejected) and error.error == "invalid_scope")


def _postponed(claim: MintClaim, outcome: Outcome, seconds: float = _REFUSED_SECONDS) -> Minted:
    minted.postpone(claim, failure=outcome.value, seconds=seconds)
    return Minted(outcome=outcome, retry_after=seconds)


def _count_against(connection_id: UUID) -> None:
    """Doubt the connection itself: its own renewal, soon, is the second look that decides."""
    version = Connection.objects.values_list("credential__version", flat=True).get(pk=connection_id)
    claim = slots.claim_one(connection_id, owner=presence.owner(), lease_seconds=settings.RENEWAL_LEASE_SECONDS)
    if claim is None:
        return
    if claim.suspect_version == version or not gates.doubt(claim.registration_id):
        slots.release(claim)
    else:
        wait = settings.RENEWAL_CONFIRM_SECONDS
        slots.postpone(claim, failure="suspect", seconds=wait, suspect_version=version)


def _unverified(connection_id: UUID, error: ProviderError) -> None:
    row = Connection.objects.get(pk=connection_id)
    states.move(
        row,
        State.DEGRADED,
        Reason.ACCOUNT_UNVERIFIED,
        only_from=states.LIVE,
        error=error.error,
        description=error.description,
        error_id=error.error_id,
    )
