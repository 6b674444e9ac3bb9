"""The described form of what is handed out, and of what callers report back."""

from typing import Annotated, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from broker import errors
from broker.api import token, views
from broker.api.authentication import ApiKeyAuth
from broker.api.describing import NOT_SERVED, TOKENS, Label, Refusal, described
from broker.api.hot import wait_of
from broker.api.lookups import connection_of, grant_of
from broker.api.schemas import FeedbackIn, FeedbackOut, HeadersIn, HeadersOut, TokenOut
from broker.services import feedback
from tenants.models import Operation

router = Router(tags=[TOKENS])
MinTtl = Annotated[
    int | None,
    Query(ge=0, le=settings.TOKEN_MAX_MIN_TTL_SECONDS, description="Seconds for which it must still be good."),
]
Scope = Annotated[str | None, Query(description="Exactly these scopes, where the provider makes such tokens.")]
_BY_NAME = "For callers that know no connection id: `label` is needed where a tenant has several connections at one."
_TOKEN: tuple[Refusal, ...] = (*NOT_SERVED, errors.MinTtlUnattainable, errors.InvalidScope)
_HEADERS: tuple[Refusal, ...] = (*NOT_SERVED, errors.RequestRefused)


def _handed_out(*refusals: Refusal) -> dict[str, Any]:
    """Of routes that are served past the described layer, which therefore cannot say what they need."""
    return described(*refusals, waits=True) | {"security": [{"ApiKeyAuth": [Operation.TOKEN_READ.value]}]}


@router.get(
    "/connections/{connection_id}/token",
    response={200: TokenOut},
    operation_id="getToken",
    summary="An access token that is valid for at least min_ttl seconds",
    description="With `min_ttl` the broker keeps that promise or refuses. Without it, it hands out what has a minute "
    "left, renews what has not, and when renewing fails what is still good at all, with `degraded` saying why.",
    openapi_extra=_handed_out(*_TOKEN),
)
def get_token(request: HttpRequest, connection_id: str, min_ttl: MinTtl = None, scope: Scope = None) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return views.connection_token(request, connection_id)


@router.get(
    "/tenants/{tenant}/providers/{provider}/token",
    response={200: TokenOut},
    operation_id="getTokenByName",
    summary="An access token, by tenant and provider",
    description=_BY_NAME,
    openapi_extra=_handed_out(*_TOKEN, errors.ConnectionAmbiguous),
)
def get_token_by_name(
    request: HttpRequest,
    tenant: str,
    provider: str,
    min_ttl: MinTtl = None,
    scope: Scope = None,
    label: Label = None,
) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return views.provider_token(request, tenant, provider)


@router.post(
    "/connections/{connection_id}/headers",
    response={200: HeadersOut},
    operation_id="getHeaders",
    summary="The headers of one request to the provider's API, signed for it where the provider wants that",
    description="For every provider; where each request has to be signed, the only way. Send them as they are.",
    openapi_extra=_handed_out(*_HEADERS),
)
def get_headers(request: HttpRequest, connection_id: str, body: HeadersIn) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return views.connection_headers(request, connection_id)


@router.post(
    "/tenants/{tenant}/providers/{provider}/headers",
    response={200: HeadersOut},
    operation_id="getHeadersByName",
    summary="The headers of one request, by tenant and provider",
    description=_BY_NAME,
    openapi_extra=_handed_out(*_HEADERS, errors.ConnectionAmbiguous),
)
def get_headers_by_name(
    request: HttpRequest, tenant: str, provider: str, body: HeadersIn, label: Label = None
) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return views.provider_headers(request, tenant, provider)


@router.post(
    "/connections/{connection_id}/feedback",
    response={200: FeedbackOut},
    auth=ApiKeyAuth(Operation.TOKEN_READ),
    operation_id="reportFailure",
    summary="Report how the provider's API answered, above all when it refused",
    description="The answer says whose turn it is. A refused credential is renewed once for each version, however "
    "many callers report it.",
    openapi_extra=described(
        errors.ConnectionNotFound,
        errors.InvalidScope,
        errors.OperationUnsupported,
        errors.ProviderNotAvailable,
        errors.StorageFault,
        waits=True,
    ),
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
        wait_seconds=wait_of(request.META),
    )
    by = grant.actor
    verdict = feedback.report(connection_of(grant, connection_id), told, actor=by)
    return FeedbackOut(**{name: getattr(verdict, name) for name in FeedbackOut.model_fields})
