"""How many requests a worker may have out, and whose: nobody's trouble takes every place."""

import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.senders import room

A, B, C = (uuid.UUID(int=number) for number in range(1, 4))


def filled(count: int, *hogs: uuid.UUID) -> Counter[uuid.UUID]:
    """What is out once nothing is answered any more, and each of these has endlessly much that is due."""
    out: Counter[uuid.UUID] = Counter()
    for _ in range(1000):
        now = room(count, out)
        wanting = [one for one in hogs if one not in now.full]
        if not now.limit or not wanting:
            return out
        out[wanting[0]] += now.limit
    raise AssertionError("never full")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 64, 128])
def test_alone_a_registration_gets_most_places(count):
    got = filled(count, A).total()
    assert got >= max(1, count // 2)
    assert got <= count - count // 8


@pytest.mark.parametrize("hogs", [(A,), (A, B), (A, B, C)])
def test_however_many_hang_something_is_left_for_the_next(hogs):
    out = filled(64, *hogs)
    now = room(64, out)
    assert uuid.UUID(int=99) not in now.full
    assert now.limit > 0


def test_some_places_are_kept_for_urgent_renewals():
    assert room(64, Counter({A: 30, B: 26})).spare == 8
    assert room(64, Counter({A: 30, B: 26})).limit == 0
    assert room(64, Counter({A: 30, B: 32})).spare == 2


def test_a_few_free_places_are_waited_for_unless_nothing_is_out():
    assert not room(64, Counter({A: 40, B: 14})).wide
    assert room(64, Counter()).wide
    assert room(1, Counter()).wide


@given(count=st.integers(1, 300), used=st.lists(st.integers(0, 100), max_size=6), place=st.integers(0, 5))
def test_whoever_gets_all_of_a_claim_stays_within_the_share(count, used, place):
    out = Counter({uuid.UUID(int=number): many for number, many in enumerate(used)})
    if out.total() > count:
        return
    now = room(count, out)
    one = uuid.UUID(int=place)
    assert 0 <= now.limit <= count - out.total()
    if now.limit and one not in now.full:
        after = out[one] + now.limit
        free = count - out.total() - now.limit - count // 8
        assert after <= 2 * (free + 1)
