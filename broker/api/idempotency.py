"""Idempotency-Key on routes that change something: repeat a request until an answer comes, and it is done once.

A route is marked by one decorator, between the router's and the function:

    @router.post("/things", response={201: Thing}, ...)
    @idempotent
    def create_thing(request: HttpRequest, body: ThingIn) -> Status[Thing]:
"""

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Status
from ninja.operation import Operation
from ninja.renderers import JSONRenderer
from ninja.utils import contribute_operation_callback

from broker.api.lookups import grant_of
from broker.errors import InvalidRequest
from broker.services import idempotency
from broker.services.idempotency import Answer, Keyed, Work

P = ParamSpec("P")
Result = TypeVar("Result")
View = Callable[Concatenate[HttpRequest, P], Result]
Manner = Callable[[Keyed, Work], Answer]
# A Structured Fields string as the draft has it, or the bare word that most clients send.
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([A-Za-z0-9._~+/=:@-]{1,255})')
_renderer = JSONRenderer()


def idempotent(view: View[P, Result]) -> View[P, Result | HttpResponse]:
    """For a route whose whole effect is rows: they and the kept answer are one transaction."""
    return _once(view, idempotency.in_one_transaction)


def idempotent_in_steps(view: View[P, Result]) -> View[P, Result | HttpResponse]:
    """For a route that asks others in between, and whose effect may happen twice without harm."""
    return _once(view, idempotency.in_steps)


def _once(view: View[P, Result], manner: Manner) -> View[P, Result | HttpResponse]:
    @wraps(view)
    def answered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> Result | HttpResponse:
        key = key_of(request)
        if key is None:
            return view(request, *args, **kwargs)
        keyed = Keyed(caller_id=grant_of(request).caller_id, key=key, fingerprint=_fingerprint(request))
        return _response(manner(keyed, lambda: _answer(request, view(request, *args, **kwargs))), key)

    contribute_operation_callback(answered, _describe)
    return answered


def _describe(operation: Operation) -> None:
    """The framework calls this when it makes a route of the function."""
    operation.openapi_extra = {**(operation.openapi_extra or {}), "x-idempotent": True}


def key_of(request: HttpRequest) -> str | None:
    """Return the request's Idempotency-Key. Raises InvalidRequest."""
    text = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if text is None:
        return None
    found = _KEY.fullmatch(text.strip())
    if found is None:
        raise InvalidRequest("Idempotency-Key is one word of up to 255 characters, with or without quotation marks")
    return found[1] or found[2]


def _fingerprint(request: HttpRequest) -> bytes:
    parts = (str(request.method), request.path, request.META.get("QUERY_STRING", ""))
    digest = hashlib.sha256()
    for part in (*(part.encode() for part in parts), request.body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _answer(request: HttpRequest, result: Any) -> Answer:
    """What the framework would make of a view's result, as bytes that can be kept."""
    status, value = (result.status_code, result.value) if isinstance(result, Status) else (200, result)
    text = "" if value is None else _renderer.render(request, value.model_dump(), response_status=status)
    return Answer(status=status, body=text.encode())


def _response(answer: Answer, key: str) -> HttpResponse:
    headers = {"Idempotency-Key": f'"{key}"', **({"Idempotent-Replayed": "true"} if answer.again else {})}
    return HttpResponse(answer.body, status=answer.status, content_type="application/json", headers=headers)
