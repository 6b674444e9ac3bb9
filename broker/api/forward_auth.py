"""What a gateway asks before it sends a service's request on: the answer's headers are the provider's.

A service behind such a gateway calls the provider's API and never holds a token. docs/forward-auth.md tells the whole.
"""

import json
from functools import partial
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from ninja import Router

from broker import errors
from broker.api import problems
from broker.api.describing import NOT_SERVED, TOKENS, Label, Refusal, described
from broker.api.hot import Environ, name_of, presented_by, query, uuid_of, wait_of
from broker.api.reply import Reply, as_response, problem
from broker.errors import BrokerError, InvalidRequest
from broker.services import forwarding, rate_limits
from broker.services.forwarding import Forwarded, Original
from broker.services.issue import Wanted
from tenants.models import Operation
from tenants.querysets import hand_out
from tenants.querysets.hand_out import Named

router = Router(tags=[TOKENS])
_REFUSALS: tuple[Refusal, ...] = (*NOT_SERVED, errors.RequestRefused)
# How gateways name the request that they ask about; one that does neither repeats its path beneath ours.
_TOLD = (
    ("HTTP_X_ORIGINAL_METHOD", "HTTP_X_ORIGINAL_URI"),
    ("HTTP_X_FORWARDED_METHOD", "HTTP_X_FORWARDED_URI"),
)
# RFC 3986 section 3.3.
_UNESCAPED = "/-._~:@!$&'()*+,;="


def by_connection(request: HttpRequest, connection_id: str, rest: str | None = None) -> HttpResponse:
    """/v1/forward-auth/connections/{id}, with the original path behind it or not"""
    return _answer(request, Named(uuid_of(connection_id)), rest)


def by_name(request: HttpRequest, tenant: str, provider: str, rest: str | None = None) -> HttpResponse:
    """/v1/forward-auth/tenants/{tenant}/providers/{provider}, the same"""
    return _answer(request, Named(None, name_of(tenant), name_of(provider)), rest)


def _answer(request: HttpRequest, named: Named, rest: str | None) -> HttpResponse:
    rate_limits.note(None)
    try:
        return _headers(*_forwarded(request.META, named, rest))
    except BrokerError as error:
        return _refusal(error)


def _forwarded(environ: Environ, named: Named, rest: str | None) -> tuple[Forwarded, Original]:
    presented = presented_by(environ, environ.get("HTTP_X_BROKER_AUTHORIZATION"))
    if rest is None:
        parameters = () if named.connection_id else ("label",)
        named = named._replace(label=query(environ, parameters).get("label"))
    original = _original(environ, rest)
    find = partial(hand_out.for_headers, named=named)
    wanted = Wanted(wait_seconds=wait_of(environ))
    return forwarding.issue_forwarded(presented, find, original, wanted), original


def _original(environ: Environ, rest: str | None) -> Original:
    """Return the request that the gateway asks about. Raises InvalidRequest unless it is told exactly once."""
    told = [(environ.get(method), environ.get(uri)) for method, uri in _TOLD if method in environ or uri in environ]
    if rest is not None:
        # The server has taken the escapes away; these are the usual ones.
        text = environ.get("QUERY_STRING", "")
        told.append((environ["REQUEST_METHOD"], f"/{quote(rest, safe=_UNESCAPED)}{'?' if text else ''}{text}"))
    method, uri = told[0] if len(told) == 1 else (None, None)
    if not method or not uri:
        raise InvalidRequest(
            "name the original request once: X-Original-Method and X-Original-URI, X-Forwarded-Method and "
            "X-Forwarded-Uri, or its path behind this address"
        )
    return Original(
        method=method,
        uri=uri,
        content_type=environ.get("CONTENT_TYPE") or None,
        body_digest=environ.get("HTTP_X_BROKER_BODY_DIGEST") or None,
    )


def _headers(forwarded: Forwarded, original: Original) -> HttpResponse:
    issued = forwarded.issued
    headers = {
        "Cache-Control": "no-store",
        "X-Broker-Base-Url": issued.base_url,
        "X-Broker-Connection": str(forwarded.connection_id),
        "X-Broker-Version": str(issued.version),
        "X-Broker-Degraded": issued.degraded or "",
        "Content-Type": original.content_type or "",
        **issued.signed.headers,
    }
    answer = as_response(Reply(200, b"", [*headers.items(), *rate_limits.headers()]))
    for name in ("X-Broker-Degraded", "Content-Type"):
        # A gateway that copies the type has to get the request's own, or none.
        if not answer[name]:
            del answer[name]
    return answer


def _refusal(error: BrokerError) -> HttpResponse:
    """Return the problem, in headers as well: there are gateways that drop the body of a refusal."""
    answer = as_response(problem(error))
    answer["X-Broker-Code"] = error.code
    answer["X-Broker-Action"] = error.action
    answer["X-Broker-Problem"] = json.dumps(problems.members(error))
    return answer


def _described(*refusals: Refusal) -> dict[str, Any]:
    """Of routes that are served past the described layer, which therefore cannot say what they need."""
    return described(*refusals, waits=True) | {"security": [{"ApiKeyAuth": [Operation.TOKEN_READ.value]}]}


@router.get(
    "/forward-auth/connections/{connection_id}",
    response={200: None},
    operation_id="forwardAuth",
    summary="For gateways: the provider's headers, as headers of an answer without body",
    description="The gateway names method and URI of the original request in headers, and adds to it what it gets.",
    openapi_extra=_described(*_REFUSALS),
)
def forward_auth(request: HttpRequest, connection_id: str) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return by_connection(request, connection_id)


@router.get(
    "/forward-auth/tenants/{tenant}/providers/{provider}",
    response={200: None},
    operation_id="forwardAuthByName",
    summary="The same, for gateways that know no connection id",
    description="As `forwardAuth`; `label` is needed where a tenant has several connections at one provider.",
    openapi_extra=_described(*_REFUSALS, errors.ConnectionAmbiguous),
)
def forward_auth_by_name(request: HttpRequest, tenant: str, provider: str, label: Label = None) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return by_name(request, tenant, provider)


@router.get(
    "/forward-auth/connections/{connection_id}/{path:rest}",
    response={200: None},
    operation_id="forwardAuthWithPath",
    summary="The same, for gateways that repeat method, path and query of the original request",
    description="As `forwardAuth`, with the original path behind the connection's id.",
    openapi_extra=_described(*_REFUSALS),
)
def forward_auth_with_path(request: HttpRequest, connection_id: str, rest: str) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return by_connection(request, connection_id, rest)


@router.get(
    "/forward-auth/tenants/{tenant}/providers/{provider}/{path:rest}",
    response={200: None},
    operation_id="forwardAuthByNameWithPath",
    summary="Both: by tenant and provider, with the original path",
    description="As `forwardAuthByName`, with the original path behind the provider's id.",
    openapi_extra=_described(*_REFUSALS, errors.ConnectionAmbiguous),
)
def forward_auth_by_name_with_path(request: HttpRequest, tenant: str, provider: str, rest: str) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return by_name(request, tenant, provider, rest)
