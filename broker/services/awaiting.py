"""A token that is not good enough: renew it, or wait for whoever does, or tell at once what came of the last attempt.

However many callers meet one expired token in however many processes, one request leaves; and while the provider fails,
one for each step of the back-off.
"""

import random
import time
from dataclasses import dataclass
from uuid import UUID

from broker import errors
from broker.services import gates, on_demand, renew
from broker.services.gates import Shut
from broker.services.renewal_attempt import Outcome
from tenants.models import Reason, RegistrationGate
from tenants.querysets import standing
from tenants.querysets.standing import Standing

_POLL_SECONDS = (0.1, 0.25)
# A back-off may be shorter than the moment in which a crowd of callers comes.
_FAILED_JUST_NOW_SECONDS = 1.0
_DOUBT = "grant_in_doubt"
_UNAVAILABLE, _THROTTLED = Reason.PROVIDER_UNAVAILABLE.value, Reason.RATE_LIMITED.value
_MISCONFIGURED, _FAULT = Reason.CLIENT_MISCONFIGURED.value, Reason.STORAGE_FAULT.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of it. note is why the connection is in trouble, for whoever gets its token all the same.

    Units: retry_after in seconds, None when nothing is known of it.
    """

    outcome: Outcome
    note: str | None = None
    retry_after: float | None = None


_FAILURES = {
    "suspect": Came(outcome=Outcome.SUSPECT, note=_DOUBT),
    "held": Came(outcome=Outcome.HELD, note=_DOUBT),
    "right_missing": Came(outcome=Outcome.RIGHT_MISSING, note=Reason.RIGHT_MISSING.value),
    "account_unverified": Came(outcome=Outcome.ACCOUNT_UNVERIFIED, note=Reason.ACCOUNT_UNVERIFIED.value),
    "app_broken": Came(outcome=Outcome.CLIENT_REJECTED, note=_MISCONFIGURED),
    "config_error": Came(outcome=Outcome.CLIENT_REJECTED, note=_MISCONFIGURED),
    "malformed": Came(outcome=Outcome.MALFORMED, note=_UNAVAILABLE),
    "throttled": Came(outcome=Outcome.UNAVAILABLE, note=_THROTTLED),
    "internal": Came(outcome=Outcome.STORAGE_FAULT, note=_FAULT),
}
_UNTIL_SOMEBODY_ACTS = frozenset({"right_missing", "account_unverified", "config_error"})
_ELSE = Came(outcome=Outcome.UNAVAILABLE, note=_UNAVAILABLE)
_CAUSES = {
    RegistrationGate.Cause.INCIDENT: _FAILURES["app_broken"],
    RegistrationGate.Cause.CANARY: _FAILURES["app_broken"],
    RegistrationGate.Cause.DOUBTS: _FAILURES["held"],
    RegistrationGate.Cause.THROTTLED: _FAILURES["throttled"],
}
_NOTES = {came.outcome: came.note for came in (*_FAILURES.values(), _ELSE)}
# Those that wait for a person are asked for less often.
_LONGEST_RETRY_AFTER = {
    Outcome.RIGHT_MISSING: 600.0,
    Outcome.ACCOUNT_UNVERIFIED: 600.0,
    Outcome.CLIENT_REJECTED: 60.0,
}
_RETRY_AFTER_SECONDS = 30.0


def renewal(connection_id: UUID, *, version: int, wait_seconds: float) -> Came:
    """Return what came of renewing, by whomever: FRESH when a version after this one is there.

    BUSY means that nothing is known yet when the time is over; the renewal goes on.
    Effects: at most one token request, none after a failure that may not be repeated yet.
    """
    deadline = time.monotonic() + wait_seconds
    first = seen = standing.of(connection_id)
    while seen is not None:
        known = _known(seen, first, version)
        if known is not None:
            return known
        came = None if seen.held else _begun(connection_id, seen, version, deadline)
        if came is not None:
            return came
        left = deadline - time.monotonic()
        if left <= 0:
            return Came(outcome=Outcome.BUSY)
        time.sleep(min(random.uniform(*_POLL_SECONDS), left))  # noqa: S311  jitter
        seen = standing.of(connection_id)
    return Came(outcome=Outcome.UNSUPPORTED)


def _known(seen: Standing, first: Standing | None, version: int) -> Came | None:
    """What is clear without asking the provider; None when somebody has to."""
    if seen.version > version:
        return Came(outcome=Outcome.FRESH)
    if seen.held:
        return None
    if seen.parked:
        return Came(outcome=Outcome.UNSUPPORTED)
    # Whoever was waited for has failed: the answer is theirs, or each who waited would try in turn.
    failed_meanwhile = first is not None and seen.failed_at != first.failed_at
    return _failure(seen) if failed_meanwhile or _may_not_be_repeated(seen) else None


def _may_not_be_repeated(seen: Standing) -> bool:
    if not seen.failure or seen.failed_ago is None:
        return False
    if seen.failure in _UNTIL_SOMEBODY_ACTS:
        # They may have acted a moment ago; then the one who asks shall not wait for the next turn, an hour from now.
        return seen.failed_ago < _FAILED_JUST_NOW_SECONDS
    return (seen.wait or 0.0) > 0 or seen.failed_ago < _FAILED_JUST_NOW_SECONDS


def _begun(connection_id: UUID, seen: Standing, version: int, deadline: float) -> Came | None:
    """Renew; None when somebody else was quicker, or when it takes too long for this caller."""
    shut = gates.refused(seen.registration_id)
    if shut is not None:
        return _shut(shut)

    def work() -> Outcome:
        return renew.renew_now(connection_id, version=version, attempts=seen.attempts)

    key, left = ("renewal", connection_id), deadline - time.monotonic()
    outcome = on_demand.within(left, key, work, lane=seen.registration_id)
    if outcome is None or outcome is Outcome.BUSY:
        return None
    return _told(connection_id, outcome)


def _told(connection_id: UUID, outcome: Outcome) -> Came:
    found = standing.of(connection_id)
    if found is None or not found.failure or outcome in (Outcome.RENEWED, Outcome.FRESH):
        return Came(outcome=outcome)
    known = _failure(found)
    return Came(outcome=outcome, note=known.note, retry_after=known.retry_after)


def _failure(seen: Standing) -> Came:
    # A fault of ours while the request was out is not one of what is stored.
    known = _ELSE if seen.failure == "internal" and seen.uncertain else _FAILURES.get(seen.failure, _ELSE)
    return _with_wait(known, seen.wait)


def _shut(shut: Shut) -> Came:
    return _with_wait(_CAUSES.get(RegistrationGate.Cause(shut.cause), _ELSE), shut.retry_after)


def _with_wait(known: Came, seconds: float | None) -> Came:
    longest = _LONGEST_RETRY_AFTER.get(known.outcome, _RETRY_AFTER_SECONDS)
    retry_after = min(max(seconds or 0.0, 1.0), longest)
    return Came(outcome=known.outcome, note=known.note, retry_after=retry_after)


def note_of(outcome: Outcome) -> str | None:
    """Return why a connection is in trouble after such an outcome; None when it is not."""
    return _NOTES.get(outcome)


def error_of(came: Came) -> errors.BrokerError:
    """Return what a caller is told when no token came of it."""
    outcome, wait = came.outcome, came.retry_after
    if outcome is Outcome.CLIENT_REJECTED:
        return errors.RegistrationRejected(retry_after=wait or 60)
    if outcome is Outcome.STORAGE_FAULT:
        return errors.StorageFault()
    if outcome is Outcome.MALFORMED:
        return errors.ProviderResponseUnusable(retry_after=wait or 10)
    if outcome is Outcome.UNSUPPORTED:
        return errors.OperationUnsupported("this connection's token has ended and the provider cannot renew it")
    if outcome is Outcome.RIGHT_MISSING:
        return errors.RightMissing(retry_after=wait or 600)
    if outcome is Outcome.ACCOUNT_UNVERIFIED:
        return errors.AccountUnverified(retry_after=wait or 600)
    if outcome in (Outcome.BUSY, Outcome.FENCE_LOST, Outcome.FRESH, Outcome.RENEWED):
        return errors.RenewalInProgress(retry_after=wait or 1)
    return errors.ProviderUnavailableNow(retry_after=wait or 10)
