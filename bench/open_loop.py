"""Requests at a fixed rate, whatever the server does: `python -m bench.open_loop` prints latencies as JSON.

When a request is due does not depend on when the one before was answered, and its latency counts from the moment at
which it was due: a server that stalls is charged for everybody who would have come meanwhile (no coordinated
omission). Moments are drawn from an exponential distribution, as independent callers come.
"""

import argparse
import gc
import json
import random
import re
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# So long may the last answers take after the last request.
_LAST_SECONDS = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Latency:
    """Milliseconds from when a request was due. Shape: bad counts other statuses than 200, and what was never answered.

    rate is what was really sent; late is how long requests waited for a free connection or for this process, in the
    99th of a hundred: the generator's own part.
    """

    rate: float
    p50: float
    p99: float
    longest: float
    late: float
    bad: int


class _Link:
    """One connection with at most one request on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._got = b""

    def send(self, request: bytes, due: float) -> None:
        self.due, self._got = due, b""
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what is there. True when the answer is whole."""
        got = self.socket.recv(1 << 18)
        if not got:
            raise SystemExit("the server closed a connection")
        self._got += got
        return is_whole(self._got)

    @property
    def good(self) -> bool:
        return self._got[9:12] == b"200"


def is_whole(answer: bytes) -> bool:
    """Tell whether an answer of HTTP/1.1 is there to its end, which its length or its last chunk says."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    length = _LENGTH.search(head)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")


class Generator:
    """Sends requests when they are due, over so many connections."""

    def __init__(self, port: int, requests: Sequence[bytes], connections: int, chance: random.Random) -> None:
        self._links = {link.socket.fileno(): link for link in (_Link(port) for _ in range(connections))}
        self._poll = select.epoll()
        for number in self._links:
            self._poll.register(number, select.EPOLLIN)
        self._free = deque(self._links.values())
        self._waiting: deque[float] = deque()
        self._requests, self._chance = requests, chance
        self._took: list[float] = []
        self._late: list[float] = []
        self._bad = 0

    def run(self, rate: float, seconds: float) -> Latency:
        """Send for so many seconds, wait for what is out, and close the connections."""
        start = time.perf_counter()
        end, due = start + seconds, start
        while due < end or (self._out and time.perf_counter() < end + _LAST_SECONDS):
            now = time.perf_counter()
            while due <= now and due < end:
                self._waiting.append(due)
                due += self._chance.expovariate(rate)
            self._send(now)
            self._receive(max(due - time.perf_counter(), 0.0) if due < end else 0.1)
        self._close()
        return self._found(seconds)

    @property
    def _out(self) -> bool:
        return bool(self._waiting) or len(self._free) < len(self._links)

    def _send(self, now: float) -> None:
        while self._waiting and self._free:
            due = self._waiting.popleft()
            self._late.append(now - due)
            self._free.popleft().send(self._requests[int(self._chance.random() * len(self._requests))], due)

    def _receive(self, seconds: float) -> None:
        # epoll's own timeout has whole milliseconds, of which a request here takes one.
        if not select.select([self._poll.fileno()], [], [], seconds)[0]:
            return
        for number, _ in self._poll.poll(0):
            link = self._links[number]
            if link.receive():
                self._took.append(time.perf_counter() - link.due)
                self._bad += not link.good
                self._free.append(link)

    def _close(self) -> None:
        self._poll.close()
        for link in self._links.values():
            link.socket.close()

    def _found(self, seconds: float) -> Latency:
        never = len(self._waiting) + len(self._links) - len(self._free)
        took, late = sorted(self._took), sorted(self._late)
        return Latency(
            rate=(len(took) + never) / seconds,
            p50=_share(took, 0.5),
            p99=_share(took, 0.99),
            longest=took[-1] * 1000,
            late=_share(late, 0.99),
            bad=self._bad + never,
        )


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


def measure(port: int, folder: Path, *, rate: float, seconds: float, seed: int, connections: int = 64) -> Latency:
    """Run a generator in a process of its own: fresh tokens of the ids in folder/few, by the key in folder/key."""
    command = [sys.executable, "-m", "bench.open_loop", str(port), str(folder), "--rate", str(rate)]
    command += ["--seconds", str(seconds), "--seed", str(seed), "--connections", str(connections)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the generator failed: {done.stderr}")
    return Latency(**json.loads(done.stdout))


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.open_loop")
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args(words)
    key = (given.folder / "key").read_text().strip()
    head = f"token HTTP/1.1\r\nHost: 127.0.0.1:{given.port}\r\nAuthorization: Bearer {key}\r\n\r\n"
    requests = [f"GET /v1/connections/{one}/{head}".encode() for one in (given.folder / "few").read_text().split()]
    # What is made here is made anew for every request, and goes by itself: a collection would only be a pause.
    gc.disable()
    generator = Generator(given.port, requests, given.connections, random.Random(given.seed))
    print(json.dumps(generator.run(given.rate, given.seconds).__dict__))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
