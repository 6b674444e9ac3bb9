"""Peers that send what is hardly HTTP, too much, or too slowly: each ends in time, in little memory, and typed."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from providers.errors import ProviderError, ProviderUnavailable
from providers.messages import HttpResponse
from tests.chaos_support import wire
from tests.providers.outbound.doors import door, post
from tests.providers.peer import Peer

CAP = 262_144
# What the peer's own thread holds is counted as well.
PEAK_BYTES = 4 * 2**20


def ended(url: str, **options: float) -> HttpResponse | ProviderError:
    try:
        return post(door(**options), url)
    except ProviderError as error:
        assert error.uncertain, "the request had left"
        assert error.__context__ is None
        return error


@pytest.mark.parametrize("name", wire.ANSWERS)
def test_an_answer_that_is_hardly_http_is_an_answer_or_an_unknown_outcome(name):
    with Peer(wire.whole(wire.ANSWERS[name])) as peer:
        result = ended(peer.url)
    assert len(peer.requests) == 1, "never sent twice"
    if isinstance(result, HttpResponse):
        assert 100 <= result.status <= 999
        assert len(result.body) <= CAP
        assert all(header == header.lower() for header in result.headers)


@pytest.mark.parametrize("name", ["a length that is too long", "a chunk cut short", "no last chunk", "only 103"])
def test_what_breaks_off_is_no_answer(name):
    with Peer(wire.whole(wire.ANSWERS[name])) as peer:
        assert isinstance(ended(peer.url), ProviderUnavailable)


@pytest.mark.parametrize("name", wire.ENDLESS)
def test_what_never_ends_is_cut_off_in_time_and_in_little_memory(name):
    tracemalloc.start()
    try:
        with Peer(wire.endless(*wire.ENDLESS[name])) as peer:
            start = time.monotonic()
            result = ended(peer.url, total_timeout=2.0)
            took, peak = time.monotonic() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took < 3
    assert peak < PEAK_BYTES, f"{peak / 2**20:.1f} MiB"
    # The whole of an answer may have come before what never ends.
    assert isinstance(result, ProviderError) or name in ("interim answers", "trailers")


@pytest.mark.parametrize("name", wire.SLOW)
def test_what_comes_byte_by_byte_ends_at_the_deadline(name):
    start = time.monotonic()
    with Peer(wire.slow(*wire.SLOW[name], pause=0.1)) as peer:
        error = ended(peer.url, total_timeout=1.5)
        took = time.monotonic() - start
        peer.over.set()
    assert isinstance(error, ProviderError)
    assert error.description == "timed out"
    assert 1.4 < took < 2.5


def test_damaged_answers_by_the_hundred_break_no_rule():
    verdicts = wire.run(300, seed=1)
    assert {"2xx", "ProviderUnavailable"} <= set(verdicts)
