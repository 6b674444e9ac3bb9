"""What follows from each answer of a token endpoint to a renewal: whose turn it is, and when to try again."""

import enum
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection as database
from django.db import transaction

from broker.services import credentials, incidents, orphans, schedule, states
from providers.definition import Traits
from providers.errors import (
    AccountUnverified,
    ClientRejected,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
    ResponseMalformed,
    RightMissing,
    UnsupportedOperation,
)
from providers.messages import OAuthCredential, TokenResponse
from tenants import audit
from tenants.models import Connection, Credential, Reason, State
from tenants.querysets import slots
from tenants.querysets.rows import database_now
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
_CONFIG_RETRY_SECONDS = 3600.0
_CLIENT_RETRY_SECONDS = 300.0
_DEGRADED_AFTER_ATTEMPTS = 2
UNSUPPORTED = "unsupported"


class Outcome(enum.Enum):
    RENEWED = "renewed"
    FRESH = "fresh"
    BUSY = "busy"
    SUSPECT = "suspect"
    RIGHT_MISSING = "right_missing"
    ACCOUNT_UNVERIFIED = "account_unverified"
    INVALID_SCOPE = "invalid_scope"
    DEAD = "dead"
    CLIENT_REJECTED = "client_rejected"
    UNAVAILABLE = "unavailable"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    STORAGE_FAULT = "storage_fault"
    FENCE_LOST = "fence_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request that left, and what its answer is judged against."""

    claim: Claim
    connection: Connection
    credential: OAuthCredential
    traits: Traits
    confirmed: bool
    chance: float


def succeeded(sent: Sent, response: TokenResponse, *, elapsed_seconds: float) -> Outcome:
    """Commit the new pair before anything else is looked at; a writer without its fence keeps it as an orphan."""
    asked = tuple(sent.connection.scopes_asked)
    fresh = credentials.merge(response, sent.credential, asked)
    life = None if response.expires_in is None else max(response.expires_in - elapsed_seconds, 1.0)
    if not _within_lease(lambda: _commit_pair(sent, fresh, life)):
        orphans.keep_late(sent.connection, sent.claim.fence, fresh, sent.credential, life, sent.chance)
        return Outcome.FENCE_LOST
    _look_closer(sent, fresh)
    return Outcome.RENEWED


def _commit_pair(sent: Sent, fresh: OAuthCredential, life: float | None) -> bool:
    fence = sent.claim.fence
    with transaction.atomic():
        if not slots.finish(sent.claim, due_in_seconds=schedule.due_in(life, sent.chance)):
            return Credential.objects.filter(connection_id=sent.connection.id, version=fence).exists()
        credentials.store(sent.connection, fence, fresh, life)
        audit.record_for(sent.connection, "credential.renewed", audit.SYSTEM, version=fence)
    return True


def _within_lease(write: Callable[[], bool]) -> bool:
    """Repeat a write while the database is away and the lease lasts: a rotated token that is not stored is lost."""
    deadline = time.monotonic() + settings.RENEWAL_LEASE_SECONDS - settings.OUTBOUND_TIMEOUT_SECONDS
    while True:
        try:
            return write()
        except DatabaseError:
            if time.monotonic() > deadline:
                raise
            logger.warning("renewed pair not written yet, trying again")
            database.close()
            time.sleep(0.2)


def _look_closer(sent: Sent, fresh: OAuthCredential) -> None:
    """Only after the commit: compare scopes, heal what was broken."""
    missing = sorted(set(sent.connection.scopes_asked) - set(fresh.scope)) if fresh.scope else []
    Connection.objects.filter(pk=sent.connection.pk).update(scopes_granted=list(fresh.scope))
    if missing:
        states.move(sent.connection, State.DEGRADED, Reason.SCOPE_MISSING, only_from=states.LIVE, missing=missing)
    elif sent.connection.reason != Reason.ACCOUNT_UNVERIFIED:
        states.move(sent.connection, State.CONNECTED, only_from=states.LIVE)
    incidents.heal(sent.connection)


def failed(sent: Sent, error: ProviderError) -> Outcome:
    """Classify a provider's failure by whose turn it is."""
    if isinstance(error, UnsupportedOperation):
        return unsupported(sent.claim)
    logger.info("renewal failed", extra=_facts(sent, error))
    if isinstance(error, GrantRejected):
        return _grant_rejected(sent, error)
    if isinstance(error, ClientRejected | RequestRefused):
        return _client_rejected(sent, error)
    if isinstance(error, RightMissing | AccountUnverified):
        return _customer_acts_at_the_provider(sent, error)
    return _unavailable(sent, error)


def unsupported(claim: Claim) -> Outcome:
    """There is nothing to renew with, and nobody to blame: never tried again until the customer connects again."""
    slots.park(claim, failure=UNSUPPORTED)
    return Outcome.UNSUPPORTED


def wait_in_doubt(sent: Sent) -> float:
    """Return how long to leave the refresh token alone before sending it again; 0 when it may be sent now.

    An earlier request may have used it up, unheard. Where a second use ends the grant, the access token that still
    works would die with it: so not before its last minute, unless the provider's API has refused that one already.
    """
    traits = sent.traits
    harmless = traits.refresh_token_rotation == "none" or traits.grace_seconds > 0
    if not sent.claim.uncertain or sent.confirmed or harmless:
        return 0.0
    return max(_seconds_left(sent) - schedule.LAST_SECONDS, 0.0)


def stay_in_doubt(sent: Sent, seconds: float) -> Outcome:
    """Nothing was sent; the access token goes on being served."""
    return _postpone(sent, failure="uncertain", seconds=seconds)


def broke(sent: Sent) -> Outcome:
    """Our own fault while the request was out: it may have been processed."""
    return _postpone(sent, failure="internal", seconds=_uncertain_wait(sent), uncertain=True)


def preparation_failed(claim: Claim, error: Exception) -> Outcome:
    """Nothing was sent: a key is missing, a seal is broken, or the catalogue lacks the provider. Operators act."""
    logger.error("renewal could not be prepared", extra={"connection_id": claim.connection_id, "error": str(error)})
    seconds = schedule.backoff(claim.attempts, 1.0)
    slots.postpone(claim, failure="internal", seconds=seconds, suspect_version=claim.suspect_version)
    row = Connection.objects.get(pk=claim.connection_id)
    if claim.attempts >= _DEGRADED_AFTER_ATTEMPTS:
        states.move(row, State.DEGRADED, Reason.STORAGE_FAULT, only_from=states.LIVE)
    return Outcome.STORAGE_FAULT


def _grant_rejected(sent: Sent, error: GrantRejected) -> Outcome:
    """`invalid_grant` blames the customer only when confirmed, on the refresh token that is still the stored one."""
    version = sent.connection.credential.version
    if not sent.confirmed and sent.claim.suspect_version != version:
        wait = settings.RENEWAL_CONFIRM_SECONDS
        kept = slots.postpone(sent.claim, failure="suspect", seconds=wait, suspect_version=version)
        return Outcome.SUSPECT if kept else Outcome.FENCE_LOST
    lost = sent.claim.uncertain and sent.traits.refresh_token_rotation != "none"
    reason = Reason.ROTATION_LOST if lost else Reason.GRANT_REVOKED
    with transaction.atomic():
        if not slots.park(sent.claim, failure=reason.value):
            return Outcome.FENCE_LOST
        states.move(
            sent.connection,
            State.REAUTHORIZATION_REQUIRED,
            reason,
            only_from=states.LIVE,
            error=error.error,
            description=error.description,
            error_id=error.error_id,
        )
    return Outcome.DEAD


def _customer_acts_at_the_provider(sent: Sent, error: RightMissing | AccountUnverified) -> Outcome:
    """The credential is good: it is kept, asked for again slowly, and serves for as long as it lives."""
    outcome = Outcome.RIGHT_MISSING if isinstance(error, RightMissing) else Outcome.ACCOUNT_UNVERIFIED
    kept = slots.postpone(sent.claim, failure=outcome.value, seconds=_CONFIG_RETRY_SECONDS)
    if not kept:
        return Outcome.FENCE_LOST
    states.move(
        sent.connection,
        State.DEGRADED,
        Reason(outcome.value),
        only_from=states.LIVE,
        error=error.error,
        description=error.description,
        error_id=error.error_id,
    )
    return outcome


def _client_rejected(sent: Sent, error: ClientRejected | RequestRefused) -> Outcome:
    """The registration is refused: one incident for staff, the connection untouched, nobody is mailed."""
    incidents.report(sent.connection, error)
    refused = error.error in ("invalid_client", "unauthorized_client")
    seconds = _CLIENT_RETRY_SECONDS if refused else _CONFIG_RETRY_SECONDS
    failure = "app_broken" if refused else "config_error"
    slots.postpone(sent.claim, failure=failure, seconds=seconds, suspect_version=sent.claim.suspect_version)
    return Outcome.CLIENT_REJECTED


def _unavailable(sent: Sent, error: ProviderError) -> Outcome:
    throttled = isinstance(error, ProviderUnavailable) and error.throttled
    retry_after = error.retry_after if isinstance(error, ProviderUnavailable) else None
    if error.uncertain:
        failure = "malformed" if isinstance(error, ResponseMalformed) else "uncertain"
        seconds = max(_uncertain_wait(sent), retry_after or 0.0)
        return _postpone(sent, failure=failure, seconds=seconds, uncertain=True)
    seconds = schedule.backoff(sent.claim.attempts, sent.chance, retry_after)
    return _postpone(sent, failure="throttled" if throttled else "transient", seconds=seconds)


def _postpone(sent: Sent, *, failure: str, seconds: float, uncertain: bool = False) -> Outcome:
    kept = slots.postpone(
        sent.claim,
        failure=failure,
        seconds=seconds,
        uncertain=uncertain,
        suspect_version=sent.claim.suspect_version,
    )
    if kept and sent.claim.attempts + 1 >= _DEGRADED_AFTER_ATTEMPTS:
        reason = Reason.RATE_LIMITED if failure == "throttled" else Reason.PROVIDER_UNAVAILABLE
        states.move(sent.connection, State.DEGRADED, reason, only_from=states.LIVE)
    return Outcome.MALFORMED if failure == "malformed" else Outcome.UNAVAILABLE


def _uncertain_wait(sent: Sent) -> float:
    traits = sent.traits
    return schedule.uncertain_retry(
        seconds_left=_seconds_left(sent),
        grace_seconds=traits.grace_seconds,
        rotates=traits.refresh_token_rotation != "none",
        attempts=sent.claim.attempts,
        chance=sent.chance,
    )


def _seconds_left(sent: Sent) -> float:
    expires_at = sent.connection.credential.expires_at
    return max((expires_at - database_now()).total_seconds(), 0.0) if expires_at else 0.0


def _facts(sent: Sent, error: ProviderError) -> dict[str, object]:
    return {
        "connection_id": sent.connection.id,
        "provider_id": sent.connection.provider_id,
        "failure": type(error).__name__,
        "status": error.status,
        "error": error.error,
        "error_id": error.error_id,
    }
