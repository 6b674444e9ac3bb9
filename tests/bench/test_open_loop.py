"""The generator keeps its rate whatever the server does, and charges it for everybody who came meanwhile."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.open_loop import Generator, is_whole

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STALL_SECONDS = 0.4


@contextmanager
def server(answer: bytes = OK, *, stall_at: int = 0) -> Iterator[int]:
    """A server with a thread a connection; from its so-manieth request on, all stand still once."""
    seen, stall = iter(range(1, 1_000_000)), threading.Lock()

    def serve(link: socket.socket) -> None:
        with link:
            while link.recv(4096):
                with stall:
                    if next(seen) == stall_at:
                        time.sleep(STALL_SECONDS)
                link.sendall(answer)

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                link = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(link,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_stall_counts_for_all_who_came_meanwhile():
    with server(stall_at=100) as port:
        found = Generator(port, [REQUEST], 2, random.Random(1)).run(rate=400, seconds=1.0)
    # Only two of four hundred could be out: counted from when they were sent, the 99th of a hundred would be untouched.
    assert found.p99 > STALL_SECONDS * 1000 * 0.8
    assert found.longest >= STALL_SECONDS * 1000
    assert found.bad == 0


def test_the_rate_is_kept_and_other_answers_are_counted():
    with server(OK.replace(b"200 OK", b"503 No")) as port:
        found = Generator(port, [REQUEST], 4, random.Random(1)).run(rate=300, seconds=1.0)
    assert found.rate == pytest.approx(300, rel=0.2)
    assert found.bad == found.rate


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (OK, True),
        (OK[:-1], False),
        (OK[:20], False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False),
    ],
    ids=["length", "byte missing", "no head yet", "chunked", "chunk missing"],
)
def test_the_end_of_an_answer(answer, whole):
    assert is_whole(answer) is whole
