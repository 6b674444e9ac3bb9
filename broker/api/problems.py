"""Every refusal leaves as problem details. Source: RFC 9457."""

import math

import msgspec
from django.http import HttpRequest, HttpResponse

from broker.errors import BrokerError, InvalidRequest, MethodNotAllowed, RouteNotFound

CONTENT_TYPE = "application/problem+json"
_encode = msgspec.json.encode


def members(error: BrokerError) -> dict[str, object]:
    """Return the problem's members; `code` is what programs look at."""
    body: dict[str, object] = {
        "type": f"urn:token-broker:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
        "action": error.action,
        **error.extra,
    }
    if error.connect_url:
        body["connect_url"] = error.connect_url
    return body


def response(error: BrokerError) -> HttpResponse:
    """Return the error as an HTTP answer, with Retry-After and WWW-Authenticate where they belong."""
    answer = HttpResponse(_encode(members(error)), status=error.status, content_type=CONTENT_TYPE)
    answer["Cache-Control"] = "no-store"
    if error.retry_after is not None:
        answer["Retry-After"] = str(math.ceil(error.retry_after))
    if error.status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def route_not_found(_request: HttpRequest, **_: object) -> HttpResponse:
    return response(RouteNotFound("docs/api.md lists the addresses"))


def method_not_allowed(allowed: str) -> HttpResponse:
    answer = response(MethodNotAllowed(f"this address answers {allowed}"))
    answer["Allow"] = allowed
    return answer


def bad_request(detail: str) -> HttpResponse:
    return response(InvalidRequest(detail))
