"""When a renewal is due: every rule over all inputs, and more than a year on a virtual clock."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.services import schedule
from providers.definition import Traits

DAY = 86400.0
CHANCES = st.floats(0.0, 1.0)
LIVES = st.floats(1.0, 400 * DAY)
DAYS = st.none() | st.integers(1, 400)
ACCEPTING = st.builds(
    Traits,
    refresh_kills_access_token=st.booleans(),
    refresh_token_idle_days=DAYS,
    refresh_token_lifetime_days=DAYS,
    rotation_restarts_lifetime=st.booleans(),
)
ANY = st.builds(
    Traits,
    refresh_kills_access_token=st.booleans(),
    refresh_token_idle_days=DAYS,
    refresh_token_lifetime_days=DAYS,
    rotation_restarts_lifetime=st.booleans(),
    minimum_renewal_interval_seconds=st.integers(0, 7200),
    early_renewal_refused_seconds=st.none() | st.integers(1, 7200),
)
LATE = Traits(refresh_kills_access_token=True)


@given(LIVES, CHANCES, ANY)
def test_what_has_an_end_is_due_after_now_and_before_its_end(life: float, chance: float, traits: Traits) -> None:
    due = schedule.due_in(life, chance, traits)
    assert due is not None
    assert 0 < due < max(life, traits.minimum_renewal_interval_seconds + 1)


@given(LIVES, CHANCES, ANY)
def test_nothing_is_due_before_the_provider_accepts_it(life: float, chance: float, traits: Traits) -> None:
    due = schedule.due_in(life, chance, traits)
    assert due is not None
    assert due >= traits.minimum_renewal_interval_seconds
    if traits.early_renewal_refused_seconds is not None:
        assert life - due <= traits.early_renewal_refused_seconds + 1e-6
    assert schedule.too_early(due, life - due, traits) <= 1e-6


@given(LIVES, CHANCES, ACCEPTING)
def test_a_long_life_leaves_five_minutes_and_every_life_a_part(life: float, chance: float, traits: Traits) -> None:
    due = schedule.due_in(life, chance, traits)
    assert due is not None
    assert due <= life * 0.92 + 1e-6
    if life >= 1800:
        assert life - due >= 300 - 1e-6


@given(st.none() | LIVES, CHANCES, ACCEPTING)
def test_nothing_lies_unused_for_longer_than_half_of_what_is_allowed(
    life: float | None, chance: float, traits: Traits
) -> None:
    due, unused = schedule.due_in(life, chance, traits), schedule.unused_seconds(traits)
    if unused is None:
        assert (due is None) is (life is None)
    else:
        assert due is not None
        assert due <= unused / 2 + 1e-6


@given(LIVES, CHANCES)
def test_a_plain_provider_s_tokens_are_due_at_60_to_75_percent(life: float, chance: float) -> None:
    due = schedule.due_in(life, chance, Traits())
    assert due is not None
    assert 0.6 * life - 1e-6 <= due <= 0.75 * life + 1e-6


@given(st.floats(1.0, 1799.0) | st.floats(3750.0, 400 * DAY), CHANCES)
def test_where_a_renewal_ends_what_callers_hold_it_is_late(life: float, chance: float) -> None:
    due = schedule.due_in(life, chance, LATE)
    assert due is not None
    assert 0.85 * life - 1e-6 <= due <= 0.92 * life + 1e-6


@pytest.mark.parametrize(
    ("life", "traits", "first", "last"),
    [
        (3600.0, Traits(), 2160, 2700),
        (3600.0, LATE, 3060, 3300),
        (1800.0, LATE, 1500, 1500),
        (1799.0, LATE, 1529.15, 1655.08),
        (None, Traits(), None, None),
        (None, Traits(refresh_token_idle_days=30), 12 * DAY, 15 * DAY),
        (90 * DAY, Traits(refresh_token_idle_days=30), 12 * DAY, 15 * DAY),
        (90 * DAY, Traits(refresh_token_idle_days=30, refresh_kills_access_token=True), 12 * DAY, 15 * DAY),
        (None, Traits(refresh_token_lifetime_days=45), None, None),
        (None, Traits(refresh_token_lifetime_days=45, rotation_restarts_lifetime=True), 18 * DAY, 22.5 * DAY),
        # Renewed no sooner than 570 s after the last time: near the end, but it works.
        (600.0, Traits(minimum_renewal_interval_seconds=570), 570, 570),
        (600.0, Traits(minimum_renewal_interval_seconds=400), 400, 450),
        (600.0, Traits(early_renewal_refused_seconds=30), 570, 570),
        # A provider that is this far from sense still gets a request that it accepts.
        (60.0, Traits(minimum_renewal_interval_seconds=570), 570, 570),
        (90 * DAY, Traits(refresh_token_idle_days=30, early_renewal_refused_seconds=86400), 89 * DAY, 89 * DAY),
    ],
)
def test_the_window(life: float | None, traits: Traits, first: float | None, last: float | None) -> None:
    found = [schedule.due_in(life, chance, traits) for chance in (0.0, 1.0)]
    assert found == [pytest.approx(first), pytest.approx(last)]


def test_due_times_of_a_cohort_are_spread() -> None:
    chances = [step / 100 for step in range(101)]
    for traits in (Traits(), LATE, Traits(refresh_token_idle_days=1)):
        dues = [schedule.due_in(7200.0 if traits is LATE else 3 * DAY, chance, traits) for chance in chances]
        assert len(set(dues)) == len(dues)


@pytest.mark.parametrize("life", [None, 3600.0, 20 * DAY, 60 * DAY])
@pytest.mark.parametrize(
    "traits",
    [
        Traits(refresh_token_rotation="always", refresh_token_lifetime_days=45, rotation_restarts_lifetime=True),
        Traits(refresh_token_idle_days=30),
        Traits(refresh_token_idle_days=30, refresh_kills_access_token=True),
        Traits(refresh_token_idle_days=2, minimum_renewal_interval_seconds=570),
    ],
)
def test_in_400_days_that_nobody_asks_nothing_expires(life: float | None, traits: Traits) -> None:
    """Ten connections, and an outage that lasts for two fifths of the limit, whenever it comes."""
    chances, unused = random.Random(7), schedule.unused_seconds(traits)
    assert unused is not None
    outage = (100 * DAY, 100 * DAY + 0.4 * unused)
    due = [(schedule.due_in(life, chances.random(), traits) or 0.0, 0.0, 0) for _ in range(10)]
    heapq.heapify(due)
    longest = 0.0
    while due[0][0] < 400 * DAY:
        now, used, attempts = heapq.heappop(due)
        assert now - used < unused, "the refresh token has expired"
        if outage[0] <= now < outage[1]:
            heapq.heappush(due, (now + schedule.backoff(attempts, chances.random()), used, attempts + 1))
            continue
        longest = max(longest, now - used)
        heapq.heappush(due, (now + (schedule.due_in(life, chances.random(), traits) or 0.0), now, 0))
    assert longest > 0


GRACE = Traits(refresh_token_rotation="always", grace_seconds=60, reuse_kills_family=True)
NO_GRACE = Traits(refresh_token_rotation="always", reuse_kills_family=True)


@pytest.mark.parametrize(
    ("traits", "seconds", "safe"),
    [
        (Traits(refresh_token_rotation="none", reuse_kills_family=True), 1e9, True),
        (Traits(refresh_token_rotation="always"), 1e9, True),
        (NO_GRACE, 0.0, False),
        (GRACE, 0.0, True),
        (GRACE, 42.0, True),
        (GRACE, 42.1, False),
    ],
)
def test_a_doubtful_refresh_token_is_sent_again_only_where_that_is_harmless(
    traits: Traits, seconds: float, safe: bool
) -> None:
    assert schedule.safe_to_resend(seconds, traits) is safe


@given(st.floats(0, 3600), st.floats(0, 120), st.integers(0, 40), CHANCES)
def test_within_grace_at_once_and_beyond_it_in_the_last_minute(
    left: float, uncertain_for: float, attempts: int, chance: float
) -> None:
    wait = schedule.doubt_wait(left, uncertain_for, GRACE, attempts, chance)
    assert wait > 0
    if uncertain_for + wait > 42:
        assert left - wait <= 60 + 1e-6
    else:
        assert wait <= max(0.25 * (42 - uncertain_for), 0.2) + 1e-9
        assert attempts >= 2 or wait <= 2


@pytest.mark.parametrize(("grace", "fit"), [(5, 5), (10, 6), (30, 7), (60, 8)])
def test_several_resends_fit_into_a_grace_however_the_dice_fall(grace: int, fit: int) -> None:
    traits, on_its_way = Traits(refresh_token_rotation="always", grace_seconds=grace, reuse_kills_family=True), 0.15
    doubt, resends = on_its_way, 0
    while schedule.safe_to_resend(doubt, traits):
        doubt += schedule.doubt_wait(3600.0, doubt, traits, resends, 1.0) + on_its_way
        resends += schedule.safe_to_resend(doubt - on_its_way, traits)
    assert resends >= fit


@pytest.mark.parametrize(("left", "attempts", "waits"), [(3600.0, 0, 3540.0), (3600.0, 9, 3540.0), (30.0, 0, 2.0)])
def test_without_grace_it_is_left_alone_while_the_access_token_works(left: float, attempts: int, waits: float) -> None:
    assert schedule.doubt_wait(left, 0.0, NO_GRACE, attempts, 1.0) == pytest.approx(waits)
    harmless = Traits(refresh_token_rotation="none")
    assert schedule.doubt_wait(left, 0.0, harmless, 0, 0.5) == pytest.approx(1.5)
