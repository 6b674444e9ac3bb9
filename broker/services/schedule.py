"""When the next attempt is due: pure arithmetic, randomness passed in as a number from 0 to 1."""

_EARLY, _LATE = 0.60, 0.75
_LONG_LIFE_SECONDS = 1800
_MARGIN_SECONDS = 300
# With so little left of an access token, sending a doubtful refresh token has nothing more to lose.
LAST_SECONDS = 60.0
_BACKOFF_FIRST_SECONDS = 2.0
_BACKOFF_CAP_SECONDS = 900.0


def due_in(life_seconds: float | None, chance: float) -> float | None:
    """Return the seconds until a fresh credential is due: 60 to 75 % of its life, spread so that cohorts disperse.

    A token that lives for half an hour or more is due at least five minutes before its end. None: it never expires.
    """
    if life_seconds is None:
        return None
    due = life_seconds * (_EARLY + (_LATE - _EARLY) * chance)
    return min(due, life_seconds - _MARGIN_SECONDS) if life_seconds >= _LONG_LIFE_SECONDS else due


def backoff(attempts: int, chance: float, retry_after: float | None = None) -> float:
    """Return the seconds to wait after so many failures: full jitter, 2 s to 15 min, never before Retry-After."""
    ceiling = min(_BACKOFF_CAP_SECONDS, _BACKOFF_FIRST_SECONDS * 2.0 ** min(attempts, 10))
    return max(ceiling * max(chance, 0.1), retry_after or 0.0)


def uncertain_retry(
    *, seconds_left: float | None, grace_seconds: float, rotates: bool, attempts: int, chance: float
) -> float:
    """Return the seconds to wait when the provider may have acted without our hearing of it.

    Where the old refresh token still works for a while, or is never replaced, it is sent again at once. Where it died
    with its first use, sending it again may end the whole grant: so not before the access token's last minute, when
    nothing is left to lose.
    """
    if not rotates or grace_seconds > 0:
        return 1.0 + chance if attempts < 2 else backoff(attempts, chance)
    return max(backoff(attempts, chance), (seconds_left or 0.0) - LAST_SECONDS)
