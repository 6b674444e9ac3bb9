"""Keys of issuers at a real address: kept, fetched again, used on when it is away, asked by one at a time."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from joserfc.jwk import OctKey, RSAKey

from broker.errors import IssuerUnavailable
from broker.services import issuer_keys
from broker.services.issuer_keys import Published
from tests.fakes.broker import wait_until
from tests.fakes.issuer import Issuer, make_key


class Clock:
    """Monotonic seconds that the test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer(settings: object) -> Iterator[Issuer]:
    settings.ALLOW_LOOPBACK_PROVIDERS = True
    with Issuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> Published:
    return Published(issuer.jwks_uri, issuer_keys.fetch, clock)


def soon(true: Callable[[], object], what: str) -> None:
    wait_until(true, what, 10)


def idle(keys: Published) -> bool:
    return keys._done is None


def test_they_are_fetched_once_in_ten_minutes(issuer: Issuer, keys: Published, clock: Clock) -> None:
    for _ in range(5):
        assert keys.find("first")
    clock.now += 599
    assert keys.find("first")
    assert issuer.asked == 1
    clock.now += 2
    assert keys.find("first")
    soon(lambda: issuer.asked == 2 and idle(keys), "a second request")


def test_a_new_key_is_found_and_unknown_ones_ask_once_a_minute(issuer: Issuer, keys: Published, clock: Clock) -> None:
    assert keys.find("first")
    issuer.publish(issuer.key, make_key("ES256", "second"))
    clock.now += 61
    assert keys.find("second")
    for n in range(20):
        assert not keys.find(f"made up {n}")
    assert issuer.asked == 2
    clock.now += 61
    assert not keys.find("made up")
    assert issuer.asked == 3


def test_a_key_that_is_withdrawn_ends_with_the_next_look(issuer: Issuer, keys: Published, clock: Clock) -> None:
    assert keys.find("first")
    issuer.publish(make_key("ES256", "second"))
    clock.now += 601
    keys.find("first")
    soon(lambda: idle(keys), "the keys to be read")
    assert not keys.find("first")


def test_old_keys_serve_for_a_day_while_the_issuer_is_away(issuer: Issuer, keys: Published, clock: Clock) -> None:
    assert keys.find("first")
    issuer.status = 503
    for _ in range(3):
        clock.now += 3600
        assert keys.find("first")
        soon(lambda: idle(keys), "the answer")
    assert issuer.asked == 4
    clock.now += 86_400
    with pytest.raises(IssuerUnavailable):
        keys.find("first")
    issuer.status = 200
    clock.now += 6
    assert keys.find("first")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys": 1}', b"[" * 100_000, b"x" * 300_000])
def test_what_is_no_key_set_changes_nothing(issuer: Issuer, keys: Published, clock: Clock, body: bytes) -> None:
    assert keys.find("first")
    issuer.published = body
    clock.now += 601
    assert keys.find("first")
    soon(lambda: issuer.asked == 2 and idle(keys), "the answer")
    assert keys.find("first")


def seconds_to_refuse(keys: Published) -> float:
    began = time.monotonic()
    with pytest.raises(IssuerUnavailable):
        keys.find("second")
    return time.monotonic() - began


def test_nobody_waits_for_an_issuer_that_hangs_but_those_who_must(
    issuer: Issuer, keys: Published, clock: Clock
) -> None:
    assert keys.find("first")
    issuer.may_answer.clear()
    clock.now += 601
    began = time.monotonic()
    assert all(keys.find("first") for _ in range(100))
    assert time.monotonic() - began < 0.5
    with ThreadPoolExecutor(max_workers=8) as crowd:
        took = sorted(crowd.map(lambda _: seconds_to_refuse(keys), range(8)))
    # Two hold a thread of the web process for two seconds; the others are told at once.
    assert [each > 0.8 * issuer_keys.WAIT_SECONDS for each in took] == [False] * 6 + [True] * 2
    assert issuer.asked == 2
    issuer.may_answer.set()
    soon(lambda: idle(keys), "the answer")


def test_a_crowd_at_the_start_asks_once(issuer: Issuer, keys: Published) -> None:
    start = threading.Barrier(8)

    def ask(_: int) -> str:
        start.wait()
        try:
            return "found" if keys.find("first") else "none"
        except IssuerUnavailable:
            return "later"

    with ThreadPoolExecutor(max_workers=8) as crowd:
        answers = list(crowd.map(ask, range(8)))
    assert "none" not in answers
    assert "found" in answers
    assert issuer.asked == 1


def test_an_address_inside_is_not_asked(issuer: Issuer, clock: Clock, settings: object) -> None:
    settings.ALLOW_LOOPBACK_PROVIDERS = False
    with pytest.raises(IssuerUnavailable):
        Published(issuer.jwks_uri, issuer_keys.fetch, clock).find("first")
    assert issuer.asked == 0


def test_only_public_keys_of_the_right_kinds_are_read() -> None:
    good = make_key("ES256", "good").as_dict(private=False)
    short = RSAKey.generate_key(2048, {"kid": "short"}, private=False).as_dict()
    document = {
        "keys": [
            good,
            make_key("ES256", "private").as_dict(private=True),
            OctKey.generate_key(256, {"kid": "symmetric"}).as_dict(private=True),
            {**short, "n": short["n"][:170]},
            {**good, "kid": None},
            {**good, "kid": "broken", "x": "AA"},
            {**good, "kid": "unknown", "kty": "AKP"},
            "not an object",
            None,
        ]
    }
    assert set(issuer_keys.read(document)) == {"good"}
