"""One request on its way through the sandbox, and the reply it gets."""

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.faults import Fault
from sandbox.journal import Entry

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A response that faults can still spoil before it is delivered.

    `delivery` is `whole`, `drop` (the connection is cut unanswered), `cut` (half of the body) or `slow`.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delivery: str = "whole"
    seconds: float = 0.0
    charset: str = "utf-8"

    def with_json_changed(self, change: dict[str, Any], drop: tuple[str, ...] = ()) -> "Reply":
        """The same reply with members of its JSON object replaced or left out; other bodies stay."""
        if self.content_type != "application/json":
            return self
        members = {**json.loads(self.body), **change}
        for name in drop:
            members.pop(name, None)
        return replace(self, body=json.dumps(members).encode())


def json_reply(status: int, value: Any, headers: dict[str, str] | None = None) -> Reply:
    """A JSON reply that no cache may keep."""
    return Reply(status, json.dumps(value).encode(), headers={**NO_STORE, **(headers or {})})


def redirect(location: str, headers: dict[str, str] | None = None) -> Reply:
    """A 303 to the location; the browser follows with GET, whatever it did before."""
    return Reply(303, b"", "text/plain", {**NO_STORE, "Location": location, **(headers or {})})


@dataclass(slots=True)
class Exchange:
    """A request that is being answered, with its log entry and the fault that befell it."""

    request: web.Request
    body: bytes
    entry: Entry
    fault: Fault | None = None

    def form(self) -> list[tuple[str, str]]:
        """The pairs of an urlencoded body; none if it cannot be read as one."""
        return pairs(self.body.decode("utf-8", "replace"))

    def query(self) -> list[tuple[str, str]]:
        """The pairs of the query string."""
        return pairs(self.request.rel_url.raw_query_string)

    def decide(self, decision: str, reason: str = "") -> None:
        """Write into the log what was decided and why."""
        self.entry.decision = decision
        self.entry.reason = reason


def pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of an urlencoded text, in order, empty values left out.

    Source: RFC 6749 section 3.1: a parameter without a value counts as absent.
    """
    try:
        return parse_qsl(text, keep_blank_values=False, max_num_fields=64)
    except ValueError:
        return []


def repeated(given: list[tuple[str, str]]) -> str | None:
    """The first name that occurs more than once, or None."""
    seen: set[str] = set()
    for name, _ in given:
        if name in seen:
            return name
        seen.add(name)
    return None
