"""What each kind of fault does to a reply."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from sandbox.exchange import NO_STORE, Reply, json_reply
from sandbox.faults import API_ENDPOINTS, Fault

HTML = "<!doctype html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"


def instead(fault: Fault, endpoint: str, own: Reply | None) -> Reply | None:
    """The reply that such a fault puts in the place of the right one, or None if it puts none.

    `own` is that reply in the form of the endpoint's vendor, where the endpoint has one.
    """
    if own is not None or fault.kind not in _INSTEAD:
        return own
    return _INSTEAD[fault.kind](fault, endpoint)


def before(fault: Fault, instead: Reply | None) -> Reply | None:
    """The reply that comes instead of processing the request, or None if it is processed."""
    if fault.kind == "drop_before":
        return Reply(0, b"", delivery="drop")
    return None if fault.after else instead


def after(fault: Fault, instead: Reply | None, reply: Reply) -> Reply:
    """What becomes of the reply of a request that has taken effect."""
    if instead is not None:
        return instead
    if fault.kind in _SPOILT:
        return _SPOILT[fault.kind](fault, reply)
    return reply


def _html(fault: Fault, _: str) -> Reply:
    return Reply(fault.status or 200, (fault.body or HTML).encode(), "text/html", dict(NO_STORE))


def _status(fault: Fault, endpoint: str) -> Reply:
    if endpoint in API_ENDPOINTS:
        return api_error(fault.status or 500, 5000, "An internal error occurred.")
    return Reply(fault.status or 500, fault.body.encode(), "text/plain", dict(NO_STORE))


def _rate_limited(fault: Fault, endpoint: str) -> Reply:
    return too_many(1 if fault.retry_after is None else fault.retry_after, endpoint)


def _invalid_client(_: Fault, __: str) -> Reply:
    challenge = {"WWW-Authenticate": 'Basic realm="sandbox"'}
    return json_reply(401, {"error": "invalid_client"}, challenge)


def _error(fault: Fault, _: str) -> Reply:
    body = {"error": fault.error, "error_description": fault.error_description}
    return json_reply(fault.status or 400, body)


def too_many(retry_after: int | str, endpoint: str) -> Reply:
    """429: the vendor's shape at the API, an OAuth error elsewhere."""
    headers = {"Retry-After": str(retry_after)}
    if endpoint in API_ENDPOINTS:
        text = f"Too many requests. Try again in {retry_after} seconds."
        return api_error(429, 4010, text, headers)
    return json_reply(429, {"error": "temporarily_unavailable"}, headers)


def api_error(status: int, code: int, text: str, headers: dict[str, str] | None = None) -> Reply:
    """An error of the API in the vendor's shape."""
    body = {"ErrorCode": code, "DeveloperErrorMessage": text, "ErrorId": str(uuid4())}
    return json_reply(status, body, headers)


_INSTEAD: dict[str, Callable[[Fault, str], Reply]] = {
    "html": _html,
    "status": _status,
    "rate_limited": _rate_limited,
    "invalid_client": _invalid_client,
    "error": _error,
}
_SPOILT: dict[str, Callable[[Fault, Reply], Reply]] = {
    "drop_after": lambda _, reply: replace(reply, delivery="drop"),
    "cut_body": lambda _, reply: replace(reply, delivery="cut"),
    "slow_body": lambda fault, reply: replace(reply, delivery="slow", seconds=fault.seconds),
    # The token endpoint has already left the refresh token alone; on a code exchange it is just left out.
    "omit_refresh_token": lambda _, reply: reply.with_json_changed({}, ("refresh_token",)),
    "omit_expires_in": lambda _, reply: reply.with_json_changed({}, ("expires_in",)),
    "replace": lambda fault, reply: reply.with_json_changed(fault.fields),
}
