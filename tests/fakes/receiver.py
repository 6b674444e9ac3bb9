"""A service that is told of events: a real HTTP server that checks signatures as the standard's own library does."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

Headers = dict[str, str]


@dataclass(frozen=True)
class Got:
    """One request as it came. Shape: header names in lower case."""

    path: str
    headers: Headers
    body: bytes
    status: int
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def event(self, secret: str) -> dict[str, Any]:
        """The event. Raises WebhookVerificationError unless this secret signed it a moment ago."""
        event: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return event


class Receiver:
    """Answers 204 everywhere, unless told otherwise for a path."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.got: list[Got] = []
        self.answers: dict[str, Callable[[Got], tuple[int, Headers]]] = {}
        self.slow: dict[str, float] = defaultdict(float)
        self._changed = threading.Condition()

    def answer(self, path: str, *statuses: int, headers: Headers | None = None) -> None:
        """Answer these one after another, the last of them from then on."""
        left = list(statuses)
        self.answers[path] = lambda _: (left.pop(0) if len(left) > 1 else left[0], headers or {})

    def at(self, path: str) -> list[Got]:
        with self._changed:
            return [got for got in self.got if got.path == path]

    def wait(self, path: str, count: int = 1, seconds: float = 20.0) -> list[Got]:
        """Return what came to a path, as soon as it is so many."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while len(found := [got for got in self.got if got.path == path]) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} of {count} requests to {path}: {[got.path for got in self.got]}"
                self._changed.wait(left)
            return found

    def take(self, path: str, headers: Headers, body: bytes) -> tuple[int, Headers]:
        """Write down a request, and return what to answer."""
        time.sleep(self.slow[path])
        got = Got(path, headers, body, 204)
        status, more = self.answers[path](got) if path in self.answers else (204, {})
        with self._changed:
            self.got.append(Got(path, headers, body, status))
            self._changed.notify_all()
        return status, more


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        status, more = self.server.receiver.take(self.path, headers, body)  # type: ignore[attr-defined]
        try:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **more}.items():
                self.send_header(name, value)
            self.end_headers()
        except OSError:
            pass  # whoever asked has gone

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Gives a receiver that listens on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
