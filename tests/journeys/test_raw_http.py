"""Bytes that are hardly HTTP, over plain sockets: to the routes that are served below the framework, and to the others.

The server may refuse or close; it may not fail, hang, take two requests for one, or be the worse for it.
"""

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.fakes.broker import Broker
from tests.journeys import belongings
from tests.journeys.installation import Installation
from tests.journeys.service import Service

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
LONG = b"x" * 500_000


@dataclass(frozen=True)
class Wire:
    """A running broker, spoken to byte by byte."""

    broker: Broker
    values: dict[str, str]
    key: str

    def head(self, line: bytes, *headers: bytes, key: bool = True, last: bool = True) -> bytes:
        """Return the head of a request, its names filled in; the last one of a connection says so."""
        given = [b"Host: " + self.address.encode(), *headers, *([b"Connection: close"] if last else [])]
        given += [b"Authorization: Bearer " + self.key.encode()] if key else []
        text = b"\r\n".join([line, *given]) + b"\r\n\r\n"
        for name, value in self.values.items():
            text = text.replace(b"{%s}" % name.encode(), value.encode())
        return text

    @property
    def address(self) -> str:
        return urlsplit(self.broker.url).netloc

    def send(self, content: bytes, *, seconds: float = 10.0) -> list[int]:
        """Return the statuses of all answers until the server closes."""
        host, _, port = self.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=seconds) as wire:
            # It may close before it has heard everything; what it said is there all the same.
            with suppress(ConnectionError):
                wire.sendall(content)
            return [int(status) for status in STATUS.findall(_all(wire))]


def _all(wire: socket.socket) -> bytes:
    heard = b""
    with suppress(ConnectionError, TimeoutError):
        while piece := wire.recv(65_536):
            heard += piece
    return heard


@pytest.fixture(scope="module")
def wire(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """When all is over it serves as before, and has met nothing that it did not expect."""
    with installation.with_sandbox(tmp_path_factory.mktemp("raw")) as (broker, _):
        broker.start_web()
        with Service(broker, installation.keys["aalto"]) as aalto:
            made = Wire(broker, belongings.of_aalto(broker, aalto), installation.keys["aalto"])
            yield made
            assert aalto.token(made.values["connection_id"])["version"] == 1
        assert not [line for line in broker.logs()["web"].splitlines() if "Traceback" in line or "fault" in line]
        assert broker.leaks() == []


HOT, HOT_BODY = b"/v1/connections/{connection_id}/token", b"/v1/connections/{connection_id}/headers"
COLD, BATCH = b"/v1/connections/{connection_id}", b"/v1/tokens"
each_target = pytest.mark.parametrize("target", [HOT, HOT_BODY, COLD, BATCH], ids=["hot", "hot-body", "cold", "batch"])
LINES = [
    b"",
    b"GET",
    b"GET %s",
    b"GET  %s HTTP/1.1",
    b"get %s HTTP/1.1",
    b"GET %s HTTP/9.9",
    b"GET %s HTTP/1.1 x",
    b"\x16\x03\x01\x02",
    b"GET \x00%s HTTP/1.1",
    b"GET %s\x00 HTTP/1.1",
    b"GET %s\xff HTTP/1.1",
    b"GET %s%%00 HTTP/1.1",
    b"GET %s%%2F HTTP/1.1",
    b"GET /%s HTTP/1.1",
    b"GET %s/ HTTP/1.1",
    b"GET %s?%%ff=%%00 HTTP/1.1",
    b"GET %s?\xff HTTP/1.1",
    b"GET %s#x HTTP/1.1",
    b"GET http://evil.example%s HTTP/1.1",
    b"GET https://127.0.0.1:1%s HTTP/1.1",
    b"GET ftp://x%s HTTP/1.1",
    b"GET * HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"CONNECT 127.0.0.1:1 HTTP/1.1",
    b"TRACE %s HTTP/1.1",
    b"HEAD %s HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"GET /v1/connections/../../admin/ HTTP/1.1",
    b"GET /v1/%%2e%%2e/admin/ HTTP/1.1",
    b"GET " + b"/x" * 100_000 + b" HTTP/1.1",
]
HEADERS = [
    b"X",
    b": x",
    b"X : x",
    b" X: x",
    b"X: a\r\n b",
    b"X: \x00",
    b"X: \xff\xfe",
    b"X\xff: x",
    b"X: " + LONG,
    b"\r\n".join(b"X-%d: x" % number for number in range(500)),
    b"Host: evil.example",
    b"Authorization: Bearer x",
    b"Content-Length: -1",
    b"Content-Length: x",
    b"Content-Length: 1\r\nContent-Length: 2",
    b"Content-Length: 9999999999999999999999",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: x",
    b"Transfer-Encoding : chunked",
    b"Expect: nonsense",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x",
    b"Connection: Authorization",
    b"X-Forwarded-For: " + b"," * 5000,
    b"X-Forwarded-For: \xff, ::1%eth0, unknown",
    b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 10.0.0.1",
    b'Forwarded: for="[::1]"',
    b"Prefer: wait=" + b"9" * 5000,
    b"Prefer: \xff",
    b"X-Request-Deadline: \xff",
    b"Idempotency-Key: \xff",
    b"X-Original-URI: \xff",
    b"X_Forwarded_For: 1",
    b"Range: bytes=0-",
    b"If-Match: *",
    b"TE: trailers\r\nTrailer: Authorization",
    b"Cookie: " + b"a=b;" * 4000,
]


@each_target
def test_odd_request_lines(wire: Wire, target: bytes) -> None:
    for line in LINES:
        filled = line % target if b"%s" in line else line
        told = wire.send(wire.head(filled))
        assert all(status < 500 or status == 505 for status in told), (filled[:200], told)
        assert len(told) == 1, (filled[:200], told)


@each_target
def test_odd_headers(wire: Wire, target: bytes) -> None:
    method = b"GET" if target in (HOT, COLD) else b"POST"
    for header in HEADERS:
        told = wire.send(wire.head(b"%s %s HTTP/1.1" % (method, target), header))
        assert all(status < 500 for status in told), (header[:200], told)
        assert len([status for status in told if status >= 200]) == 1, (header[:200], told)


@each_target
def test_two_authorizations_are_none(wire: Wire, target: bytes) -> None:
    good = b"Authorization: Bearer " + wire.key.encode()
    method = b"GET" if target in (HOT, COLD) else b"POST"
    assert wire.send(wire.head(b"%s %s HTTP/1.1" % (method, target), good, b"Content-Length: 0")) in ([400], [401])


@pytest.mark.parametrize("target", [HOT, COLD], ids=["hot", "cold"])
def test_pipelined_requests_are_answered_in_turn(wire: Wire, target: bytes) -> None:
    """Neither takes the other's authority: the second has none."""
    line = b"GET %s HTTP/1.1" % target
    first, second = wire.head(line, last=False), wire.head(line, key=False, last=False)
    assert wire.send(first + second + wire.head(line)) == [200, 401, 200]


@pytest.mark.parametrize("target", [HOT_BODY, BATCH, b"/v1/connect-sessions"], ids=["hot", "batch", "cold"])
def test_a_request_in_the_body_of_another_is_no_request(wire: Wire, target: bytes) -> None:
    inner = wire.head(b"GET %s HTTP/1.1" % HOT)
    told = wire.send(wire.head(b"POST %s HTTP/1.1" % target, b"Content-Length: %d" % len(inner)) + inner)
    assert told == [400]
    both = wire.head(b"POST %s HTTP/1.1" % target, b"Content-Length: 5", b"Transfer-Encoding: chunked", last=False)
    assert wire.send(both + b"0\r\n\r\n" + inner)[:1] == [400]


@pytest.mark.parametrize("target", [HOT_BODY, BATCH, b"/v1/connect-sessions"], ids=["hot", "batch", "cold"])
def test_bodies_that_do_not_come(wire: Wire, target: bytes) -> None:
    """Those who wait for one keep nobody else waiting."""
    slow = threading.Thread(target=_trickle, args=(wire, target))
    slow.start()
    began = time.monotonic()
    assert wire.send(wire.head(b"GET %s HTTP/1.1" % HOT)) == [200]
    assert time.monotonic() - began < 5
    slow.join()


def _trickle(wire: Wire, target: bytes) -> None:
    """Send a body byte by byte, by a client without a key: it is refused before the body is there."""
    head = wire.head(b"POST %s HTTP/1.1" % target, b"Content-Length: 20", key=False)
    host, _, port = wire.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(head)
        for _ in range(10):
            try:
                slow.sendall(b" ")
            except OSError:
                return
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/connect-sessions"), ("POST", "/v1/tokens"), ("PUT", "/v1/connections"), ("POST", "/v1/nothing")],
)
def test_an_answer_before_the_body_says_that_the_connection_ends(wire: Wire, method: str, path: str) -> None:
    """The server closes it when the body comes too late; who is not told would lose the next request."""
    for size in (8, 20_000):
        client = http.client.HTTPConnection(wire.address, timeout=10)
        try:
            for _ in range(25):
                client.request(method, path, body=b"x" * size, headers={"Content-Type": "application/json"})
                answer = client.getresponse()
                answer.read()
                assert answer.status in (401, 404, 405)
                assert answer.headers["Connection"] == "close"
        finally:
            client.close()


def test_a_body_that_was_read_keeps_the_connection(wire: Wire) -> None:
    client = http.client.HTTPConnection(wire.address, timeout=10)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {wire.key}"}
    try:
        for path in ("/v1/tokens", "/v1/connect-sessions"):
            client.request("POST", path, body=b"{}", headers=headers)
            answer = client.getresponse()
            assert (answer.status, answer.headers.get("Connection")) == (400, None), answer.read()
            answer.read()
    finally:
        client.close()
