"""What follows from each answer of a token endpoint to a renewal: whose turn it is, and when to try again."""

import logging

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction

from broker.errors import BrokerError
from broker.services import forecast, gates, incidents, schedule, states
from broker.services.renewal_attempt import Answer, Attempt, Outcome
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
from tenants.errors import TenantsError
from tenants.models import Connection, Reason, State
from tenants.querysets import slots
from tenants.querysets.rows import database_now
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
_CONFIG_RETRY_SECONDS = 3600.0
# The registration's gate keeps it from being asked in vain; once that is open, nobody should wait for long.
_CLIENT_RETRY_SECONDS = 60.0
# How long a connection waits whose registration is suspected in its place.
_HELD_SECONDS = 60.0
_DEGRADED_AFTER_ATTEMPTS = 2
# A row that cannot be read three times in a row is looked at once an hour, and by people.
_QUARANTINED_AFTER_ATTEMPTS, _QUARANTINE_SECONDS = 2, 3600.0
UNSUPPORTED = "unsupported"


def failed(answer: Answer) -> Outcome:
    """Classify what went wrong by whose turn it is. Effects: rows; what the registration's gate is told."""
    attempt, error = answer.attempt, answer.error
    if not isinstance(error, ProviderError):
        return broke(attempt)
    if isinstance(error, UnsupportedOperation):
        return unsupported(attempt.claim)
    logger.info("renewal failed", extra=_facts(attempt, error))
    if isinstance(error, ClientRejected | RequestRefused):
        # The incident counts these itself: they are no sign that the provider accepts us.
        return _client_rejected(attempt, error)
    unanswered = isinstance(error, ProviderUnavailable | ResponseMalformed) and not _throttled(error)
    gates.note(attempt.connection.registration_id, ok=not unanswered)
    if isinstance(error, GrantRejected):
        return _grant_rejected(attempt, error)
    if isinstance(error, RightMissing | AccountUnverified):
        return _customer_acts_at_the_provider(attempt, error)
    return _unavailable(attempt, error)


def unsupported(claim: Claim) -> Outcome:
    """There is nothing to renew with, and nobody to blame: never tried again until the customer connects again."""
    slots.park(claim, failure=UNSUPPORTED)
    return Outcome.UNSUPPORTED


def wait_in_doubt(attempt: Attempt) -> float:
    """Return how long to leave the refresh token alone before sending it again; 0 when it may be sent now.

    An earlier request may have used it up, unheard. Where a second use ends the grant, the access token that still
    works would die with it: so not before its last minute, unless the provider's API has refused that one already.
    """
    uncertain_for = attempt.claim.uncertain_for
    if uncertain_for is None or attempt.confirmed or schedule.safe_to_resend(uncertain_for, attempt.traits):
        return 0.0
    return max(_seconds_left(attempt) - schedule.LAST_SECONDS, 0.0)


def too_early(attempt: Attempt) -> float:
    """Return how long the provider goes on refusing to renew, however much somebody wishes it; 0: it would renew."""
    traits, stored = attempt.traits, attempt.connection.credential
    picky = traits.minimum_renewal_interval_seconds or traits.early_renewal_refused_seconds is not None
    if not picky or attempt.claim.uncertain or attempt.claim.suspect_version is not None:
        return 0.0
    age = (database_now() - stored.issued_at).total_seconds()
    return schedule.too_early(age, _seconds_left(attempt), traits)


def stay_in_doubt(attempt: Attempt, seconds: float) -> Outcome:
    """Nothing was sent; the access token goes on being served."""
    return _postpone(attempt, failure="uncertain", seconds=seconds)


def broke(attempt: Attempt) -> Outcome:
    """Our own fault while the request was out: it may have been processed."""
    return _postpone(attempt, failure="internal", seconds=_uncertain_wait(attempt), uncertain=True)


def preparation_failed(claim: Claim, error: Exception) -> Outcome:
    """Nothing was sent: a key is missing, a seal is broken, or the catalogue lacks the provider. Operators act."""
    if isinstance(error, DatabaseError):
        # Nothing is wrong with the row. The lease ends by itself.
        raise error
    # Only our own errors are made to be read by anybody.
    expected = isinstance(error, _SAFE_TO_LOG)
    facts = {"connection_id": claim.connection_id, "error": str(error) if expected else type(error).__name__}
    logger.error("renewal could not be prepared", extra=facts, exc_info=None if expected else error)
    quarantined = claim.attempts >= _QUARANTINED_AFTER_ATTEMPTS
    seconds = _QUARANTINE_SECONDS if quarantined else schedule.backoff(claim.attempts, 1.0)
    slots.postpone(claim, failure="internal", seconds=seconds, suspect_version=claim.suspect_version)
    if claim.attempts >= _DEGRADED_AFTER_ATTEMPTS:
        row = Connection.objects.get(pk=claim.connection_id)
        states.move(row, State.DEGRADED, Reason.STORAGE_FAULT, only_from=states.LIVE)
    return Outcome.STORAGE_FAULT


_SAFE_TO_LOG = (TenantsError, ProviderError, DefinitionError, BrokerError)


def _grant_rejected(attempt: Attempt, error: GrantRejected) -> Outcome:
    """`invalid_grant` blames the customer only when confirmed, on the refresh token that is still the stored one.

    And only while the registration is not itself under suspicion: a provider that refuses many customers at once is
    mistaken, or has been asked with the wrong client.
    """
    registration_id, version = attempt.connection.registration_id, attempt.connection.credential.version
    if _may_be_our_loss(attempt) and not gates.suspected(registration_id):
        # Says nothing about the registration: our own losses must not use up what it may be doubted for.
        again = attempt.confirmed or attempt.claim.suspect_version == version
        return _dead(attempt, error) if again else _suspect(attempt, version)
    if attempt.claim.suspect_version == version:
        return _dead(attempt, error) if gates.doubt(registration_id, ends=True) else _held(attempt)
    # Asked before the budget is spent: a report and this answer together are two voices against one customer.
    at_once = attempt.confirmed and gates.enough_trust(registration_id)
    if not gates.doubt(registration_id, ends=at_once):
        return _held(attempt)
    return _dead(attempt, error) if at_once else _suspect(attempt, version)


def _may_be_our_loss(attempt: Attempt) -> bool:
    return attempt.claim.uncertain and attempt.traits.refresh_token_rotation != "none"


def _suspect(attempt: Attempt, version: int) -> Outcome:
    wait = settings.RENEWAL_CONFIRM_SECONDS
    kept = slots.postpone(attempt.claim, failure="suspect", seconds=wait, suspect_version=version)
    return Outcome.SUSPECT if kept else Outcome.FENCE_LOST


def _held(attempt: Attempt) -> Outcome:
    """The registration is under suspicion: nobody is blamed, and what was suspected of this connection stays so."""
    suspect = attempt.claim.suspect_version
    kept = slots.postpone(attempt.claim, failure="held", seconds=_HELD_SECONDS, suspect_version=suspect)
    return Outcome.HELD if kept else Outcome.FENCE_LOST


def _dead(attempt: Attempt, error: GrantRejected) -> Outcome:
    reason = _reason_of_death(attempt)
    with transaction.atomic():
        if not slots.park(attempt.claim, failure=reason.value):
            return Outcome.FENCE_LOST
        states.move(
            attempt.connection,
            State.REAUTHORIZATION_REQUIRED,
            reason,
            only_from=states.LIVE,
            error=error.error,
            description=error.description,
            error_id=error.error_id,
        )
    return Outcome.DEAD


def _reason_of_death(attempt: Attempt) -> Reason:
    if attempt.claim.uncertain and attempt.traits.refresh_token_rotation != "none":
        return Reason.ROTATION_LOST
    ended = forecast.reason_of_end(attempt.connection, attempt.traits, database_now())
    return ended or Reason.GRANT_REVOKED


def _customer_acts_at_the_provider(attempt: Attempt, error: RightMissing | AccountUnverified) -> Outcome:
    """The credential is good: it is kept, asked for again slowly, and serves for as long as it lives."""
    outcome = Outcome.RIGHT_MISSING if isinstance(error, RightMissing) else Outcome.ACCOUNT_UNVERIFIED
    kept = slots.postpone(attempt.claim, failure=outcome.value, seconds=_CONFIG_RETRY_SECONDS)
    if not kept:
        return Outcome.FENCE_LOST
    states.move(
        attempt.connection,
        State.DEGRADED,
        Reason(outcome.value),
        only_from=states.LIVE,
        error=error.error,
        description=error.description,
        error_id=error.error_id,
    )
    return outcome


def _client_rejected(attempt: Attempt, error: ClientRejected | RequestRefused) -> Outcome:
    """The registration is refused: one incident for staff, the connection untouched, nobody is mailed."""
    incidents.report(attempt.connection, error)
    refused = error.error in ("invalid_client", "unauthorized_client")
    seconds = _CLIENT_RETRY_SECONDS if refused else _CONFIG_RETRY_SECONDS
    failure = "app_broken" if refused else "config_error"
    slots.postpone(attempt.claim, failure=failure, seconds=seconds, suspect_version=attempt.claim.suspect_version)
    return Outcome.CLIENT_REJECTED


def _unavailable(attempt: Attempt, error: ProviderError) -> Outcome:
    retry_after = error.retry_after if isinstance(error, ProviderUnavailable) else None
    if error.uncertain:
        failure = "malformed" if isinstance(error, ResponseMalformed) else "uncertain"
        seconds = max(_uncertain_wait(attempt), retry_after or 0.0)
        return _postpone(attempt, failure=failure, seconds=seconds, uncertain=True)
    throttled = _throttled(error)
    if throttled:
        gates.throttle(attempt.connection.registration_id, retry_after)
    seconds = schedule.backoff(attempt.claim.attempts, attempt.chance, retry_after)
    return _postpone(attempt, failure="throttled" if throttled else "transient", seconds=seconds)


def _throttled(error: ProviderError) -> bool:
    return isinstance(error, ProviderUnavailable) and error.throttled


def _postpone(attempt: Attempt, *, failure: str, seconds: float, uncertain: bool = False) -> Outcome:
    kept = slots.postpone(
        attempt.claim,
        failure=failure,
        seconds=seconds,
        uncertain=uncertain,
        suspect_version=attempt.claim.suspect_version,
    )
    if kept and attempt.claim.attempts + 1 >= _DEGRADED_AFTER_ATTEMPTS:
        reason = Reason.RATE_LIMITED if failure == "throttled" else Reason.PROVIDER_UNAVAILABLE
        states.move(attempt.connection, State.DEGRADED, reason, only_from=states.LIVE)
    return Outcome.MALFORMED if failure == "malformed" else Outcome.UNAVAILABLE


def _uncertain_wait(attempt: Attempt) -> float:
    return schedule.doubt_wait(
        _seconds_left(attempt),
        attempt.claim.uncertain_for or 0.0,
        attempt.traits,
        attempt.claim.attempts,
        attempt.chance,
    )


def _seconds_left(attempt: Attempt) -> float:
    expires_at = attempt.connection.credential.expires_at
    return max((expires_at - database_now()).total_seconds(), 0.0) if expires_at else 0.0


def _facts(attempt: Attempt, error: ProviderError) -> dict[str, object]:
    return {
        "connection_id": attempt.connection.id,
        "provider_id": attempt.connection.provider_id,
        "failure": type(error).__name__,
        "status": error.status,
        "error": error.error,
        "error_id": error.error_id,
    }
