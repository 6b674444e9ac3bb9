"""When the next attempt is due: pure arithmetic, randomness passed in as a number from 0 to 1."""

from providers.definition import Traits

_EARLY, _LATE = 0.60, 0.75
# Callers lose the access token they hold when a renewal ends it: it is used for longer first.
_ENDING_EARLY, _ENDING_LATE = 0.85, 0.92
_LONG_LIFE_SECONDS = 1800
_MARGIN_SECONDS = 300
# A refresh token that may not lie unused is renewed before half of that time: the other half is for outages.
_UNUSED_EARLY, _UNUSED_LATE = 0.40, 0.50
_DAY_SECONDS = 86400.0
# With so little left of an access token, sending a doubtful refresh token has nothing more to lose.
LAST_SECONDS = 60.0
# The rest of a grace period is the request's own way to the provider.
_GRACE_SHARE = 0.7
_QUICK_RESENDS = 2
# Each resend waits for so much of what is left of the grace: answers go astray more than once.
_RESEND_SHARE, _SOONEST_RESEND_SECONDS = 0.25, 0.2
_BACKOFF_FIRST_SECONDS = 2.0
_BACKOFF_CAP_SECONDS = 900.0


def due_in(life_seconds: float | None, chance: float, traits: Traits) -> float | None:
    """Return the seconds until a fresh credential is due to be renewed; None: never.

    What is nice gives way to what is needed, the first of these before the next:
    1. not before the provider accepts a renewal (minimum interval, early ones refused);
    2. before half of the time that a refresh token may lie unused;
    3. at least five minutes before the end, for tokens that live for half an hour or more;
    4. at 60 to 75 % of the life, or at 85 to 92 % where a renewal ends the access tokens before it.

    Units: life_seconds above 0; None where access tokens never end, which leaves 1 and 2. Only a provider that accepts
           renewals after the end alone (1) gets a due time that is not before the end.
    """
    unused = unused_seconds(traits)
    if life_seconds is None:
        return None if unused is None else _window(unused * _UNUSED_EARLY, unused * _UNUSED_LATE, chance, 0.0)
    early, late = (_ENDING_EARLY, _ENDING_LATE) if traits.refresh_kills_access_token else (_EARLY, _LATE)
    first, last = life_seconds * early, life_seconds * late
    if life_seconds >= _LONG_LIFE_SECONDS:
        last = min(last, life_seconds - _MARGIN_SECONDS)
    if unused is not None and last > unused * _UNUSED_LATE:
        first, last = min(first, unused * _UNUSED_EARLY), unused * _UNUSED_LATE
    return _window(min(first, last), last, chance, too_early(0.0, life_seconds, traits))


def _window(first: float, last: float, chance: float, accepted: float) -> float:
    first = max(first, accepted)
    return first + (max(last, first) - first) * chance


def unused_seconds(traits: Traits) -> float | None:
    """Return for how long a refresh token may lie unused; None: for as long as it likes."""
    days = unused_days(traits)
    return None if days is None else days * _DAY_SECONDS


def unused_days(traits: Traits) -> int | None:
    """As unused_seconds. A life that each rotation starts anew is the same thing as a limit to lying unused."""
    restarting = traits.refresh_token_lifetime_days if traits.rotation_restarts_lifetime else None
    known = [days for days in (traits.refresh_token_idle_days, restarting) if days is not None]
    return min(known, default=None)


def lifetime_days(traits: Traits) -> int | None:
    """Return for how many days an authorization lives whatever is renewed meanwhile; None: no limit is known."""
    return None if traits.rotation_restarts_lifetime else traits.refresh_token_lifetime_days


def too_early(age_seconds: float, seconds_left: float, traits: Traits) -> float:
    """Return the seconds until the provider accepts a renewal of a credential of this age; 0 when it does now."""
    interval = traits.minimum_renewal_interval_seconds - age_seconds
    refused = traits.early_renewal_refused_seconds
    return max(interval, 0.0 if refused is None else seconds_left - refused, 0.0)


def backoff(attempts: int, chance: float, retry_after: float | None = None) -> float:
    """Return the seconds to wait after so many failures: full jitter, 2 s to 15 min, never before Retry-After."""
    ceiling = min(_BACKOFF_CAP_SECONDS, _BACKOFF_FIRST_SECONDS * 2.0 ** min(attempts, 10))
    return max(ceiling * max(chance, 0.1), retry_after or 0.0)


def safe_to_resend(uncertain_for_seconds: float, traits: Traits) -> bool:
    """Tell whether a refresh token whose last use went unheard may be sent again without harm.

    It may where it is never replaced, where a second use ends nothing, and for most of a grace period.
    """
    if traits.refresh_token_rotation == "none" or not traits.reuse_kills_family:
        return True
    return traits.grace_seconds > 0 and uncertain_for_seconds <= _GRACE_SHARE * traits.grace_seconds


def doubt_wait(
    seconds_left: float, uncertain_for_seconds: float, traits: Traits, attempts: int, chance: float
) -> float:
    """Return the seconds to wait when the provider may have acted without our hearing of it.

    Where sending it again does no harm, the first two resends follow at once and others as after any failure; while a
    grace runs out each follows sooner than the one before, so that several fit into it. Where it could end the whole
    grant, the refresh token is left alone until the access token's last minute, when nothing is left to lose.
    """
    wait = 1.0 + chance if attempts < _QUICK_RESENDS else backoff(attempts, chance)
    left_of_grace = _GRACE_SHARE * traits.grace_seconds - uncertain_for_seconds
    if traits.refresh_token_rotation != "none" and left_of_grace > _SOONEST_RESEND_SECONDS:
        return min(wait, max(_RESEND_SHARE * left_of_grace, _SOONEST_RESEND_SECONDS))
    if safe_to_resend(uncertain_for_seconds + wait, traits):
        return wait
    return max(backoff(attempts, chance), seconds_left - LAST_SECONDS)
