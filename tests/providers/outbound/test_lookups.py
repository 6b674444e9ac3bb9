"""Names are looked up once for many requests, and what was found is checked each time."""

from __future__ import annotations

import socket
import threading

import pytest

from providers.errors import ProviderUnavailable
from providers.outbound import lookups as module
from providers.outbound.lookups import Lookups
from tests.providers.outbound.doors import door, failure, post
from tests.providers.peer import Peer, answering


class Names:
    """A resolver that answers from a list, and counts."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked, self.gate = answers, 0, threading.Event()
        self.gate.set()

    def __call__(self, host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        if host == "127.0.0.1":
            # The peer's own.
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        self.asked += 1
        self.gate.wait(5)
        found = self.answers[min(self.asked, len(self.answers)) - 1]
        if not found:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]


@pytest.fixture
def names(monkeypatch):
    def install(*answers: str) -> Names:
        resolver = Names(*answers)
        monkeypatch.setattr(module.socket, "getaddrinfo", resolver)
        return resolver

    return install


def found(lookups: Lookups, seconds: float = 5) -> list[str]:
    return [str(address) for address in lookups.addresses("one.example", 443, seconds=seconds)]


def test_many_at_once_and_shortly_after_share_one_lookup(names):
    resolver, lookups, results = names("192.0.2.1", "192.0.2.2"), Lookups(), []
    resolver.gate.clear()
    threads = [threading.Thread(target=lambda: results.append(found(lookups))) for _ in range(8)]
    for thread in threads:
        thread.start()
    resolver.gate.set()
    for thread in threads:
        thread.join()
    assert [*results, found(lookups)] == [["192.0.2.1"]] * 9
    assert resolver.asked == 1


def test_a_name_is_looked_up_anew_when_time_has_passed(names, monkeypatch):
    resolver, lookups = names("192.0.2.1", "192.0.2.2"), Lookups()
    assert found(lookups) == ["192.0.2.1"]
    monkeypatch.setattr(module, "KNOWN_SECONDS", 0.0)
    assert found(lookups) == ["192.0.2.2"]
    assert resolver.asked == 2


def test_finding_nothing_is_not_remembered(names):
    names("", "192.0.2.2")
    lookups = Lookups()
    assert found(lookups) == []
    assert found(lookups) == ["192.0.2.2"]


def test_a_lookup_that_hangs_holds_one_thread_and_not_the_next_name(names):
    resolver, lookups = names("192.0.2.1"), Lookups()
    resolver.gate.clear()
    assert [found(lookups, seconds=0.05) for _ in range(3)] == [[], [], []]
    assert resolver.asked == 1
    resolver.gate.set()
    assert [str(one) for one in lookups.addresses("two.example", 443, seconds=5)] == ["192.0.2.1"]


def test_an_address_needs_no_lookup(names):
    resolver, lookups = names("192.0.2.1"), Lookups()
    assert [str(one) for one in lookups.addresses("2001:db8::1", 443, seconds=5)] == ["2001:db8::1"]
    assert resolver.asked == 0


def test_a_host_that_nobody_answers_at_is_looked_up_anew(names):
    # 127.0.0.2 is loopback too, and nobody listens there.
    resolver, outbound = names("127.0.0.2", "127.0.0.1"), door()
    with Peer(answering("200 OK", b"{}")) as peer:
        with pytest.raises(ProviderUnavailable, match="no connection"):
            post(outbound, f"http://localhost:{peer.port}/")
        assert post(outbound, f"http://localhost:{peer.port}/").status == 200
    assert resolver.asked == 2


def test_a_known_name_is_checked_again_each_time(names):
    resolver, outbound = names("93.184.216.34"), door()
    for _ in range(2):
        with pytest.raises(ProviderUnavailable, match="not allowed"):
            post(outbound, "http://localhost/")
    assert resolver.asked == 1


def test_an_address_without_host_is_no_address():
    assert failure("https:///token").description == "the name has no address"
