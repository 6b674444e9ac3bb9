"""Answers that are hardly HTTP, as bytes on a real socket: what the outbound door must live through."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

from providers.errors import ProviderError
from providers.messages import HttpRequest
from providers.outbound import Outbound
from tests.providers.peer import Peer

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
# By name: a whole answer of a server, which then closes the connection.
ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "no head": b'{"access_token": "a"}',
    "blank lines": b"\r\n" * 4 + _OK + b"\r\n{}",
    "no header's colon": _OK + b"garbage\r\n\r\n",
    "no header's name": _OK + b": y\r\n\r\n",
    "a length with 5,000 digits": _OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "a length without end": _OK + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "a negative length": _OK + b"Content-Length: -1\r\n\r\n{}",
    "a length with a sign": _OK + b"Content-Length: +2\r\n\r\n{}",
    "two lengths": _OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length that is too long": _OK + b"Content-Length: 10\r\n\r\n{}",
    "a length that is too short": _OK + b"Content-Length: 1\r\n\r\n{}",
    "a length beside chunks": _OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an unknown transfer coding": _OK + b"Transfer-Encoding: nonsense\r\n\r\nxx",
    "two transfer codings": _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk size that is none": _CHUNKED + b"zz\r\n",
    "a chunk size without end": _CHUNKED + b"f" * 5000 + b"\r\nabc",
    "a negative chunk": _CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk of exabytes": _CHUNKED + b"ffffffffffffffff\r\nabc",
    "a chunk cut short": _CHUNKED + b"5\r\n{",
    "no last chunk": _CHUNKED + b"2\r\n{}\r\n",
    "a long chunk extension": _CHUNKED + b"2;" + b"a" * 200_000 + b"\r\n{}\r\n0\r\n\r\n",
    "many trailers": _CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 50_000,
    "HTTP 1.0": b"HTTP/1.0 200 OK\r\n\r\n{}",
    "HTTP 2": b"HTTP/2 200\r\n\r\n{}",
    "HTTP 3.0": b"HTTP/3.0 200 OK\r\n\r\n{}",
    "status 000": b"HTTP/1.1 000 x\r\n\r\n",
    "status 999": b"HTTP/1.1 999 x\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 x\r\n\r\n",
    "status -20": b"HTTP/1.1 -20 x\r\n\r\n",
    "a status in other digits": "HTTP/1.1 ٢٠٠ x\r\n\r\n".encode(),
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
    "a long reason": b"HTTP/1.1 200 " + b"x" * 90_000 + b"\r\n\r\n{}",
    "a NUL in a header": _OK + b"X: a\x00b\r\n\r\n{}",
    "a header of odd bytes": _OK + b"X: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    "a header's name of odd bytes": _OK + b"X\xff: a\r\n\r\n{}",
    "a space before the colon": _OK + b"X : a\r\nContent-Length: 2\r\n\r\n{}",
    "a folded header": _OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "a fold before any header": _OK + b" X: a\r\n\r\n{}",
    "line feeds alone": b"HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\n{}",
    "carriage returns alone": b"HTTP/1.1 200 OK\rX: y\r\r{}",
    "5,000 times 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + _OK + b"Content-Length: 2\r\n\r\n{}",
    "only 103": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}",
    "204 with a body": b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n{}",
    "304 with a length": b"HTTP/1.1 304 No\r\nContent-Length: 200\r\n\r\n",
    "4,000 headers": _OK + b"".join(b"X-%d: y\r\n" % n for n in range(4000)) + b"Content-Length: 2\r\n\r\n{}",
    "40,000 headers": _OK + b"".join(b"X-%d: y\r\n" % n for n in range(40_000)) + b"Content-Length: 2\r\n\r\n{}",
    "one header of 200 kB": _OK + b"X: " + b"y" * 200_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "two answers": (_OK + b"Content-Length: 2\r\n\r\n{}") * 2,
}
# By name: how an answer begins, and what it goes on with for as long as anybody reads.
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "body": (_OK + b"Connection: close\r\n\r\n", b"x" * 65_536),
    "body within a length": (_OK + b"Content-Length: 999999999999\r\n\r\n", b"x" * 65_536),
    "chunks": (_CHUNKED, b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
    "chunks of one byte": (_CHUNKED, b"1\r\nx\r\n" * 4096),
    "chunk extension": (_CHUNKED + b"1;", b"a" * 65_536),
    "trailers": (_CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 4096),
    "headers": (_OK, b"X: y\r\n" * 4096),
    "one header": (_OK + b"X: ", b"y" * 65_536),
    "status line": (b"HTTP/1.1 200 ", b"O" * 65_536),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2048),
    "blank lines": (b"", b"\r\n" * 4096),
}
# By name: what comes at once, and what follows byte by byte.
SLOW: dict[str, tuple[bytes, bytes]] = {
    "head": (b"", b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000),
    "body": (_OK + b"Content-Length: 100000\r\n\r\n", b"b" * 1000),
    "body without length": (_OK + b"Connection: close\r\n\r\n", b"b" * 1000),
    "chunk size": (_CHUNKED, b"0" * 1000),
    "trailers": (_CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: " + b"y" * 1000),
}

Script = Callable[[socket.socket, Peer], None]


def whole(raw: bytes) -> Script:
    """A server that gives these bytes and closes."""

    def script(connection: socket.socket, peer: Peer) -> None:
        peer.read_request(connection)
        connection.sendall(raw)

    return script


def endless(first: bytes, then: bytes) -> Script:
    """A server that never stops."""

    def script(connection: socket.socket, peer: Peer) -> None:
        peer.read_request(connection)
        connection.sendall(first)
        while not peer.over.is_set():
            connection.sendall(then)

    return script


def slow(first: bytes, then: bytes, *, pause: float) -> Script:
    """A server that sends a byte, and waits."""

    def script(connection: socket.socket, peer: Peer) -> None:
        peer.read_request(connection)
        connection.sendall(first)
        for byte in then:
            if peer.over.wait(pause):
                return
            connection.sendall(bytes([byte]))

    return script


def run(count: int, seed: int, *, total_timeout: float = 5.0) -> Counter[str]:
    """Have so many damaged answers read; how each ended, by the name of its class or its status.

    Raises: whatever the door should not raise; AssertionError for one that outlasts its deadline.
    """
    made, verdicts = damaged(Random(seed)), Counter[str]()
    outbound = Outbound(connect_timeout=2.0, total_timeout=total_timeout, allow_loopback=True)
    with Peer(lambda connection, peer: whole(next(made))(connection, peer)) as peer:
        request = HttpRequest(method="POST", url=peer.url, endpoint="token", fields=(("a", "b"),))
        for number in range(count):
            started = time.monotonic()
            verdicts[_verdict(outbound, request)] += 1
            assert time.monotonic() - started < total_timeout + 1, f"seed {seed}, answer {number} took too long"
    return verdicts


def _verdict(outbound: Outbound, request: HttpRequest) -> str:
    try:
        return f"{outbound.send(request).status // 100}xx"
    except ProviderError as error:
        assert error.uncertain, "the request had left"
        assert error.__context__ is None, "the engine's error may quote the peer"
        return type(error).__name__


def damaged(random: Random) -> Iterator[bytes]:
    """Answers with a few wounds each, without end."""
    pieces = [raw[:3000] for raw in ANSWERS.values()]
    while True:
        raw = bytearray(random.choice(pieces))
        for _ in range(random.randrange(1, 5)):
            start = random.randrange(len(raw) + 1)
            wound = random.randbytes(random.randrange(4)) if random.random() < 0.5 else random.choice(pieces)[:40]
            raw[start : start + random.randrange(5)] = wound
        yield bytes(raw)
