from __future__ import annotations

import logging
import socket
import struct
import threading
import time
import traceback

import pytest

from providers.errors import ResponseMalformed
from providers.outbound import network as network_module
from tests.providers.outbound.doors import door, failure, post
from tests.providers.peer import Peer, answer, answering


class TestOneRequest:
    def test_the_form_arrives_whole_and_the_answer_comes_back(self):
        with Peer(answering("201 Created", b"{}", "X-Thing: One", "X-Thing: Two")) as peer:
            response = post(door(user_agent="tester/1"), f"{peer.url}/token?a=1")
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /token?a=1 HTTP/1.1\r\n")
        assert body == b"grant_type=refresh_token&refresh_token=canary-1+%26%C3%A9"
        assert b"Content-Type: application/x-www-form-urlencoded" in head
        assert b"Accept-Encoding: identity" in head
        assert b"User-Agent: tester/1" in head
        assert (response.status, response.headers["x-thing"], response.body) == (201, "Two", b"{}")

    def test_a_redirect_is_an_answer_and_is_not_followed(self):
        with (
            Peer(answering("200 OK")) as other,
            Peer(answering("302 Found", b"", f"Location: {other.url}/")) as peer,
        ):
            assert post(door(), peer.url).status == 302
        assert other.connections == 0

    def test_cookies_are_not_kept_and_connections_are_not_reused(self):
        outbound = door()
        with Peer(answering("200 OK", b"{}", "Set-Cookie: who=tenant-a")) as peer:
            post(outbound, peer.url)
            post(outbound, peer.url)
        assert peer.connections == 2
        assert b"who=" not in peer.requests[1]

    def test_a_connection_that_the_peer_keeps_open_is_not_used_again(self):
        def keeps(connection, peer):
            while peer.read_request(connection):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")

        outbound = door()
        with Peer(keeps) as peer:
            assert [post(outbound, peer.url).status for _ in range(3)] == [200, 200, 200]
        assert peer.connections == 3

    def test_the_environments_proxy_is_not_used(self, monkeypatch):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        with Peer(answering("200 OK", b"ok")) as peer:
            assert post(door(), peer.url).body == b"ok"

    def test_many_threads_share_one_door(self):
        outbound, statuses = door(total_timeout=10), []
        with Peer(answering("200 OK", b"{}")) as peer:
            threads = [
                threading.Thread(target=lambda: statuses.append(post(outbound, peer.url).status)) for _ in range(20)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert statuses == [200] * 20
        assert len(peer.requests) == 20


class TestHowFarItCame:
    def test_refused_means_not_sent(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        error = failure(f"http://127.0.0.1:{port}/token")
        assert (error.sent, error.uncertain, error.endpoint, error.provider_id) == (
            False,
            False,
            "token",
            "p",
        )

    def test_an_unknown_name_means_not_sent(self):
        error = failure("https://name.invalid/token", allow_loopback=False)
        assert not error.sent
        assert error.description == "the name has no address"

    def test_a_name_server_that_hangs_costs_no_more_than_the_time_given(self, monkeypatch):
        hang = threading.Event()
        monkeypatch.setattr(network_module.socket, "getaddrinfo", lambda *_, **__: hang.wait(20) and [])
        start = time.monotonic()
        error = failure("https://slow.example/token", connect_timeout=0.3)
        hang.set()
        assert not error.sent
        assert time.monotonic() - start < 1.5

    def test_a_tls_handshake_that_fails_means_not_sent(self):
        with Peer(lambda connection, peer: connection.sendall(b"HTTP/1.1 400 this is not TLS\r\n\r\n")) as peer:
            error = failure(f"https://127.0.0.1:{peer.port}/token")
        assert (error.sent, error.description) == (False, "no connection")

    def test_a_tls_handshake_that_never_answers_means_not_sent(self):
        with Peer(lambda connection, peer: peer.over.wait(10)) as peer:
            error = failure(f"https://127.0.0.1:{peer.port}/token", connect_timeout=0.5)
            assert not error.sent
            assert error.description == "timed out"
            peer.over.set()

    def test_a_reset_after_the_request_means_sent(self):
        def reset(connection, peer):
            peer.read_request(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with Peer(reset) as peer:
            error = failure(peer.url)
        assert error.sent
        assert error.uncertain

    def test_an_answer_that_never_comes_means_sent(self):
        with Peer(lambda connection, peer: peer.read_request(connection)) as peer:
            assert failure(peer.url).uncertain

    def test_an_answer_cut_short_means_sent(self):
        def cut(connection, peer):
            peer.read_request(connection)
            connection.sendall(answer("200 OK", b"x" * 100)[:-50])

        with Peer(cut) as peer:
            assert failure(peer.url).uncertain

    def test_bytes_that_are_not_http_mean_sent_and_do_not_show(self):
        def garbage(connection, peer):
            peer.read_request(connection)
            connection.sendall(b"canary-3 is no status line\r\n\r\n")

        with Peer(garbage) as peer:
            error = failure(peer.url)
        assert error.uncertain
        assert "canary-3" not in "".join(traceback.format_exception(error))
        assert error.__context__ is None


class TestTimeAndSize:
    @pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"])
    def test_one_byte_now_and_then_does_not_outlast_the_deadline(self, first):
        def trickle(connection, peer):
            peer.read_request(connection)
            connection.sendall(first)
            for byte in (b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000) if not first else b"b" * 1000:
                if peer.over.wait(0.05):
                    return
                connection.sendall(bytes([byte]))

        start = time.monotonic()
        with Peer(trickle) as peer:
            error = failure(peer.url, total_timeout=0.8)
            peer.over.set()
        assert (error.sent, error.description) == (True, "timed out")
        assert 0.7 < time.monotonic() - start < 2

    def test_a_body_over_the_cap_is_cut_off(self):
        written = []

        def endless(connection, peer):
            peer.read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for _ in range(1000):
                connection.sendall(b"x" * 65536)
                written.append(65536)

        with Peer(endless) as peer, pytest.raises(ResponseMalformed) as caught:
            post(door(max_bytes=100_000), peer.url)
        assert caught.value.uncertain
        assert sum(written) < 30_000_000

    def test_a_body_of_exactly_the_cap_passes(self):
        with Peer(answering("200 OK", b"x" * 1000)) as peer:
            assert len(post(door(max_bytes=1000), peer.url).body) == 1000

    def test_headers_without_end_are_cut_off(self):
        def endless(connection, peer):
            peer.read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(1000):
                connection.sendall(b"X-Many: " + b"y" * 10000 + b"\r\n")

        with Peer(endless) as peer:
            assert failure(peer.url).sent

    def test_a_compressed_body_is_handed_on_as_it_came(self):
        bomb = b"\x1f\x8b\x08\x00not really gzip"
        with Peer(answering("200 OK", bomb, "Content-Encoding: gzip")) as peer:
            assert post(door(), peer.url).body == bomb


class TestWhereItMayGo:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "169.254.169.254",
            "[::ffff:a9fe:a9fe]",
            "10.0.0.1",
            "100.64.0.1",
        ],
    )
    def test_a_private_address_is_refused_in_every_spelling_and_nothing_connects(self, host):
        with Peer(answering("200 OK")) as canary:
            error = failure(f"https://{host}:{canary.port}/token", allow_loopback=False)
        assert error.description == "the address is not allowed"
        assert not error.sent
        assert canary.connections == 0

    def test_a_public_name_that_leads_inside_is_refused(self, monkeypatch):
        inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in ("93.184.216.34", "10.0.0.1")]
        monkeypatch.setattr(network_module.socket, "getaddrinfo", lambda *_, **__: inside)
        assert failure("https://rebind.example/", allow_loopback=False).description == "the address is not allowed"

    def test_a_name_is_looked_up_once_and_the_checked_address_is_used(self, monkeypatch):
        lookups = []

        def first_loopback_then_elsewhere(host, port, *_, **__):
            if host == "localhost":
                lookups.append(host)
                host = "127.0.0.1" if len(lookups) == 1 else "10.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

        with Peer(answering("200 OK", b"{}")) as peer:
            monkeypatch.setattr(network_module.socket, "getaddrinfo", first_loopback_then_elsewhere)
            assert post(door(), f"http://localhost:{peer.port}").status == 200
        assert lookups == ["localhost"]

    def test_http_is_refused_but_to_loopback_where_that_is_allowed(self):
        assert failure("http://login.example/").description == "only https is allowed"
        assert failure("http://127.0.0.1:9/", allow_loopback=False).description == "only https is allowed"
        assert failure("ftp://127.0.0.1/").description == "only https is allowed"

    def test_plain_http_never_leaves_loopback_even_if_the_name_does(self, monkeypatch):
        public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))]
        monkeypatch.setattr(network_module.socket, "getaddrinfo", lambda *_, **__: public)
        assert failure("http://localhost/").description == "the address is not allowed"


def test_nothing_secret_is_logged_at_any_level(caplog):
    caplog.set_level(logging.DEBUG)
    with Peer(answering("302 Found", b"canary-4", "Location: /cb?code=canary-5", "Set-Cookie: s=canary-6")) as peer:
        post(door(), f"{peer.url}/token?key=canary-7")
    assert "canary" not in caplog.text
