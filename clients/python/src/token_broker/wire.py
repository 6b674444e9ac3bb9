"""How one request to the broker looks on the wire, and what its answer means. No input and no output here."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, TypedDict, TypeVar

import httpx

from token_broker import behalf
from token_broker.calls import Call
from token_broker.errors import BrokerFault, BrokerUnreachable, Refused, TokenBrokerError, of_problem

T = TypeVar("T")
CONNECT_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
# The broker says of these that the same request is worth repeating within moments.
_SOON = frozenset(("renewal_in_progress", "rate_limited", "broker_unavailable"))
_GATEWAY = frozenset((502, 503, 504))


def _agent() -> str:
    try:
        return f"token-broker-client/{version('token-broker-client')}"
    except PackageNotFoundError:
        return "token-broker-client"


AGENT = _agent()


class Answered(NamedTuple):
    """What the broker said, and when by its own clock."""

    value: Any
    at: datetime


class Arguments(TypedDict):
    """What httpx is called with."""

    method: str
    url: str
    params: dict[str, str] | None
    headers: dict[str, str]
    content: bytes | None
    timeout: httpx.Timeout


def arguments(call: Call[Any], url: str, key: str, left: float) -> Arguments:
    """Return what httpx sends. Units: left in seconds, of which the broker is told a little less."""
    patience = max(0.0, left - 0.5) if call.patience is None else call.patience
    headers = {
        "Authorization": f"Bearer {key}",
        "Accept": "application/json",
        "User-Agent": AGENT,
        "Prefer": f"wait={int(patience)}",
        **behalf.headers(),
    }
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    if call.idempotency_key:
        headers["Idempotency-Key"] = call.idempotency_key
    return {
        "method": call.method,
        "url": url + call.path,
        "params": dict(call.query) or None,
        "headers": headers,
        "content": None if call.body is None else json.dumps(call.body, default=str).encode(),
        "timeout": httpx.Timeout(max(left, 0.05), connect=max(min(left, CONNECT_SECONDS), 0.05)),
    }


def read(call: Call[Any], response: httpx.Response) -> Answered:
    """Return what the answer says. Raises Refused, BrokerFault for what no broker would say."""
    told = _json(response)
    if not response.is_success:
        raise of_problem(told if isinstance(told, dict) else {}, response.status_code)
    try:
        return Answered(call.read(told), _date(response))
    except (KeyError, TypeError, ValueError, AttributeError):
        # The text is not shown: a token may be in it.
        raise BrokerFault(f"the answer to {call.method} {call.path} is not understood", {"status": 200}) from None


def unreachable(call: Call[Any], error: httpx.HTTPError) -> BrokerUnreachable:
    """Return our exception for httpx's, whose request would carry the API key into error reports."""
    return BrokerUnreachable(f"no answer to {call.method} {call.path}: {type(error).__name__}")


def pauses() -> Iterator[float]:
    """Give growing pauses between attempts, with chance in them so that many clients do not come at once."""
    longest = FIRST_PAUSE
    while True:
        yield random.uniform(longest / 2, longest)  # noqa: S311
        longest = min(longest * 2, LONGEST_PAUSE)


def pause_before_next(call: Call[Any], error: TokenBrokerError, pause: float, left: float) -> float | None:
    """Return how long to wait before the request is sent again; None when it is not."""
    if not call.repeatable:
        return None
    if isinstance(error, Refused):
        from_gateway = error.code == "unknown" and error.status in _GATEWAY
        if error.code not in _SOON and not from_gateway:
            return None
        pause = max(pause, error.retry_after or 0.0)
    return pause if pause < left else None


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _date(response: httpx.Response) -> datetime:
    try:
        # The header is cut to whole seconds: taken as it is, a token would seem to live longer than it does.
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC) + timedelta(seconds=1)
    except (KeyError, ValueError):
        return datetime.now(UTC)
