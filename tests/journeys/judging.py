"""What every answer of the API has to be, whatever was asked."""

import http.client
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from broker.errors import BrokerError

PROBLEM = "application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "code", "retryable", "retry_after", "action"}
Header = tuple[str, str | bytes]


def _codes(kind: type[BrokerError]) -> Iterator[tuple[str, int]]:
    yield kind.code, kind.status
    for narrower in kind.__subclasses__():
        yield from _codes(narrower)


CODES = dict(_codes(BrokerError))


@dataclass(frozen=True)
class Answer:
    """One answer; `what` says which request it is to."""

    what: str
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        """The problem's code, empty for a success."""
        return str(self.json()["code"]) if self.status >= 400 else ""

    def judged(self) -> Self:
        """Return it, if it is what every answer has to be."""
        assert self.status < 500, f"{self.what}: {self.status} {self.body[:500]!r}"
        assert self.headers.get("cache-control") == "no-store", f"{self.what}: {self.headers}"
        if self.status >= 400 and not self.what.startswith("HEAD "):
            self._judge_problem()
        return self

    def _judge_problem(self) -> None:
        assert self.headers.get("content-type") == PROBLEM, f"{self.what}: {self.status} {self.headers}"
        problem = self.json()
        assert problem.keys() >= MEMBERS, f"{self.what}: {problem}"
        assert problem["status"] == self.status == CODES[problem["code"]], f"{self.what}: {problem}"


class Raw:
    """Sends requests that a well-behaved client would not; one connection each, so that none spoils the next."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc

    def send(
        self,
        method: str,
        target: str,
        *,
        key: str = "",
        headers: tuple[Header, ...] = (),
        body: bytes | None = None,
        chunked: bool = False,
    ) -> Answer:
        """Return the answer, judged. The target goes out as it is, percent signs and all."""
        given = [("Authorization", f"Bearer {key}")] if key else []
        framing = [("Transfer-Encoding", "chunked")] if chunked else [("Content-Length", str(len(body or b"")))]
        connection = http.client.HTTPConnection(self._address, timeout=20)
        try:
            connection.putrequest(method, target, skip_host=any(name == "Host" for name, _ in headers))
            for name, value in (*given, *headers, *framing):
                connection.putheader(name, value)
            # A server may refuse before the body is all there; its answer waits all the same.
            with suppress(BrokenPipeError):
                connection.endheaders(body, encode_chunked=chunked)
            return _read(connection, f"{method} {target[:120]} {_short(headers)}{_short(body)}").judged()
        finally:
            connection.close()


def _short(value: object) -> str:
    return repr(value)[:120] if value else ""


def _read(connection: http.client.HTTPConnection, what: str) -> Answer:
    got = connection.getresponse()
    headers = {name.lower(): value for name, value in got.getheaders()}
    return Answer(what, got.status, headers, got.read())
