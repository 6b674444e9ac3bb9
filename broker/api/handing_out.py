"""The described form of what is handed out, and of what callers report back."""

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Header, Router

from broker.api import headers, token
from broker.api.authentication import ApiKeyAuth
from broker.api.lookups import PROBLEMS, connection_of, grant_of
from broker.api.schemas import FeedbackIn, FeedbackOut, HeadersIn, HeadersOut, TokenOut
from broker.services import feedback
from tenants import audit
from tenants.models import Operation

router = Router()
_KEY: dict[str, Any] = {"security": [{"ApiKeyAuth": []}]}
Prefer = Annotated[str | None, Header(alias="Prefer", description="wait=N: how many seconds the caller has. RFC 7240")]


@router.get(
    "/connections/{connection_id}/token",
    response={200: TokenOut, **PROBLEMS},
    operation_id="getToken",
    summary="An access token that is valid for at least min_ttl seconds",
    openapi_extra=_KEY,
)
def get_token(
    request: HttpRequest,
    connection_id: str,
    min_ttl: int | None = None,
    scope: str | None = None,
    prefer: Prefer = None,
) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return token.connection_token(request, connection_id)


@router.get(
    "/tenants/{tenant}/providers/{provider}/token",
    response={200: TokenOut, **PROBLEMS},
    operation_id="getTokenByName",
    summary="The same, for callers that know no connection id",
    openapi_extra=_KEY,
)
def get_token_by_name(
    request: HttpRequest,
    tenant: str,
    provider: str,
    min_ttl: int | None = None,
    scope: str | None = None,
    label: str | None = None,
    prefer: Prefer = None,
) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return token.provider_token(request, tenant, provider)


@router.post(
    "/connections/{connection_id}/headers",
    response={200: HeadersOut, **PROBLEMS},
    operation_id="getHeaders",
    summary="The headers of one request to the provider's API, signed for it where the provider wants that",
    openapi_extra=_KEY,
)
def get_headers(request: HttpRequest, connection_id: str, body: HeadersIn, prefer: Prefer = None) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return headers.connection_headers(request, connection_id)


@router.post(
    "/tenants/{tenant}/providers/{provider}/headers",
    response={200: HeadersOut, **PROBLEMS},
    operation_id="getHeadersByName",
    summary="The same, for callers that know no connection id",
    openapi_extra=_KEY,
)
def get_headers_by_name(
    request: HttpRequest,
    tenant: str,
    provider: str,
    body: HeadersIn,
    label: str | None = None,
    prefer: Prefer = None,
) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return headers.provider_headers(request, tenant, provider)


@router.post(
    "/connections/{connection_id}/feedback",
    response={200: FeedbackOut, **PROBLEMS},
    auth=ApiKeyAuth(Operation.TOKEN_READ),
    operation_id="reportFailure",
    summary="Report how the provider's API answered, above all when it refused",
)
def report_failure(request: HttpRequest, connection_id: str, body: FeedbackIn) -> FeedbackOut:
    grant = grant_of(request)
    told = feedback.Report(
        status=body.status,
        version=body.version,
        www_authenticate=body.www_authenticate,
        body=body.body,
        headers=body.headers,
        scopes=token.scopes_of(body.scope) if body.scope else (),
    )
    verdict = feedback.report(connection_of(grant, connection_id), told, actor=audit.caller(grant.caller_name))
    return FeedbackOut(
        verdict=verdict.verdict,
        action=verdict.action,
        state=verdict.state,
        reason=verdict.reason,
        version=verdict.version,
        connect_url=verdict.connect_url,
        explanation=verdict.explanation,
        error_id=verdict.error_id,
        retry_after=verdict.retry_after,
        rate_limit=dict(verdict.rate_limit),
    )
