"""A small HTTP server on real sockets: it plays the broker, and the provider, as each test says."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Seen:
    """One request, as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """One answer. drop: the connection is closed instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


Handler = Callable[[Seen], Reply]


class Server:
    """Answers by path; what no handler is for gets 404. `seen` holds all requests in their order."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.handlers: dict[str, Handler] = {}
        self.clock = timedelta(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def on(self, path: str, *replies: Reply | Handler) -> None:
        """Answer a path with these, one after the other, the last one for ever."""
        waiting = list(replies)

        def handle(seen: Seen) -> Reply:
            reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return reply(seen) if callable(reply) else reply

        self.handlers[path] = handle

    def of(self, path: str) -> list[Seen]:
        """Return the requests of one path."""
        return [one for one in self.seen if one.path == path]

    def now(self) -> datetime:
        """Return the time by this server's clock."""
        return datetime.now(UTC) + self.clock

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handling(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            seen = Seen(self.command, parts.path, query, {k.lower(): v for k, v in self.headers.items()}, self._body())
            server.seen.append(seen)
            handle = server.handlers.get(parts.path)
            self._reply(handle(seen) if handle else Reply(404, {"code": "route_not_found"}))

        do_GET = do_POST = do_DELETE = do_PUT = answer

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _reply(self, reply: Reply) -> None:
            if reply.drop:
                self.close_connection = True
                return
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response_only(reply.status)
            self.send_header("Date", format_datetime(server.now(), usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handling


CONNECTION = "0d9c1f6e-5f5c-4f0e-9f0b-6f6b8f1f2c11"
SECRET = "canary-access-token"
VENDOR_SECRET = "canary-vendor-header"
LINK = "https://broker.example/connect/canary-link"


def token(base_url: str, version: int = 1, seconds: float | None = 3600, *, now: datetime | None = None, **more: Any):
    """Return the broker's answer for a token."""
    access_token = f"{SECRET}-{version}"
    ends = None if seconds is None else ((now or datetime.now(UTC)) + timedelta(seconds=seconds)).isoformat()
    return Reply(
        body={
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_at": ends,
            "scope": "ea:api",
            "version": version,
            "base_url": f"{base_url}/api",
            "headers": {"Authorization": f"Bearer {access_token}", "X-Vendor-Key": VENDOR_SECRET},
            "degraded": None,
            "connection_id": CONNECTION,
            **more,
        }
    )


def headers(base_url: str, *, single_use: bool = True, version: int = 1, **given: str) -> Reply:
    """Return the broker's answer for the headers of a request."""
    return Reply(
        body={
            "headers": given,
            "single_use": single_use,
            "valid_until": None,
            "transaction_id": None,
            "version": version,
            "base_url": f"{base_url}/api",
            "degraded": None,
            "connection_id": CONNECTION,
        }
    )


def problem(code: str, status: int, **more: Any) -> Reply:
    """Return a problem document."""
    body = {"code": code, "status": status, "title": code, "detail": f"about {code}", "retryable": False, **more}
    return Reply(status, body, {"Content-Type": "application/problem+json"})


def verdict(name: str, action: str = "", **more: Any) -> Reply:
    """Return what came of a report."""
    told = {
        "verdict": name,
        "action": action,
        "state": "connected",
        "reason": "",
        "version": 2,
        "connect_url": None,
        "explanation": "",
        "error_id": None,
        "retry_after": None,
        "rate_limit": {},
    }
    return Reply(body={**told, **more})
