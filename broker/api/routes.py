"""The described API: each route parses, calls one service, and shows the result."""

import logging
from typing import Annotated, Any
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Query, Status
from ninja.errors import HttpError, ValidationError

from broker.api import paging, presentation, problems, token
from broker.api.authentication import ApiKeyAuth
from broker.api.parsing import StrictParser
from broker.api.schemas import (
    ConnectionOut,
    ConnectionPage,
    ConnectSessionCreated,
    ConnectSessionIn,
    ConnectSessionOut,
    Disconnected,
    FeedbackIn,
    FeedbackOut,
    Problem,
    TokenOut,
)
from broker.errors import (
    BodyTooLarge,
    BrokerError,
    ConnectionNotFound,
    ConnectSessionNotFound,
    InvalidRequest,
    TenantNotFound,
)
from broker.services import callers, feedback, register, revoke, sessions
from broker.services.callers import Grant
from tenants import audit
from tenants.models import Connection, ConnectSession, Operation, State, Tenant

logger = logging.getLogger(__name__)
Limit = Annotated[int, Query(ge=1, le=200)]
_PROBLEMS = dict.fromkeys((400, 401, 403, 404, 409, 410, 413, 422, 423, 500, 502, 503), Problem)

api = NinjaAPI(
    title="Token broker",
    version="1",
    description="Connect an accounting system once, and always have a valid access token for it.",
    urls_namespace="api-v1",
    openapi_url="/openapi.json",
    docs_url=None,
    parser=StrictParser(),
)


@api.post(
    "/connect-sessions",
    response={201: ConnectSessionCreated, **_PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECT_CREATE),
    operation_id="createConnectSession",
    summary="Make a link that lets a customer connect, or repair a connection",
)
def create_connect_session(request: HttpRequest, body: ConnectSessionIn) -> Status[ConnectSessionCreated]:
    grant = _grant(request)
    tenant = _tenant(grant, body.tenant)
    for provider_id in body.providers:
        if not callers.may_see(grant, tenant_id=tenant.id, provider_id=provider_id):
            raise InvalidRequest("providers: this API key does not serve one of them")
    repaired = _connection(grant, str(body.connection), tenant=tenant) if body.connection else None
    if repaired and body.providers != [repaired.provider_id]:
        raise InvalidRequest("providers must name the one provider of the connection to repair")
    link = sessions.create(
        tenant,
        body.providers,
        return_url=body.return_url,
        locale=body.locale,
        label=body.label,
        connection=repaired,
        actor=audit.caller(grant.caller_name),
    )
    created = ConnectSessionCreated(id=link.session.id, url=link.url, expires_at=link.session.expires_at)
    return Status(201, created)


@api.get(
    "/connect-sessions/{session_id}",
    response={200: ConnectSessionOut, **_PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECT_CREATE),
    operation_id="getConnectSession",
    summary="What came of a link",
)
def get_connect_session(request: HttpRequest, session_id: str) -> ConnectSessionOut:
    grant = _grant(request)
    rows = ConnectSession.objects.select_related("tenant").for_tenants(grant.tenant_ids)
    row = rows.filter(pk=_uuid(session_id)).first()
    if row is None or (grant.providers and not grant.providers.issuperset(row.providers)):
        raise ConnectSessionNotFound()
    return presentation.connect_session(row)


@api.get(
    "/connections",
    response={200: ConnectionPage, **_PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECTION_READ),
    operation_id="listConnections",
    summary="Connections, newest first",
)
def list_connections(
    request: HttpRequest,
    tenant: str = "",
    provider: str = "",
    state: str = "",
    cursor: str = "",
    limit: Limit = 50,
) -> ConnectionPage:
    grant = _grant(request)
    rows = Connection.objects.select_related("tenant", "registration").for_tenants(grant.tenant_ids)
    if state and state not in State.values:
        raise InvalidRequest(f"state must be one of {', '.join(State.values)}")
    wanted = {"tenant__slug": tenant, "provider_id": provider, "state": state}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if grant.providers:
        rows = rows.filter(provider_id__in=grant.providers)
    found, next_cursor = paging.page(rows, cursor, limit)
    return ConnectionPage(items=[presentation.summary(row) for row in found], next_cursor=next_cursor)


@api.get(
    "/connections/{connection_id}",
    response={200: ConnectionOut, **_PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECTION_READ),
    operation_id="getConnection",
    summary="One connection, with what happened to it",
)
def get_connection(request: HttpRequest, connection_id: str) -> ConnectionOut:
    return presentation.connection(_connection(_grant(request), connection_id))


@api.delete(
    "/connections/{connection_id}",
    response={200: Disconnected, **_PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECTION_MANAGE),
    operation_id="disconnect",
    summary="Stop using a connection at once, and revoke it at the provider",
)
def disconnect(request: HttpRequest, connection_id: str) -> Disconnected:
    grant = _grant(request)
    row = _connection(grant, connection_id)
    told = revoke.disconnect(row, actor=audit.caller(grant.caller_name))
    return Disconnected(state="disconnected", revoked_at_provider=told)


@api.get(
    "/connections/{connection_id}/token",
    response={200: TokenOut, **_PROBLEMS},
    operation_id="getToken",
    summary="An access token that is valid for at least min_ttl seconds",
    openapi_extra={"security": [{"ApiKeyAuth": []}]},
)
def get_token(request: HttpRequest, connection_id: str, min_ttl: int | None = None) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return token.connection_token(request, connection_id)


@api.get(
    "/tenants/{tenant}/providers/{provider}/token",
    response={200: TokenOut, **_PROBLEMS},
    operation_id="getTokenByName",
    summary="The same, for callers that know no connection id",
    openapi_extra={"security": [{"ApiKeyAuth": []}]},
)
def get_token_by_name(
    request: HttpRequest, tenant: str, provider: str, min_ttl: int | None = None, label: str | None = None
) -> HttpResponse:
    """Described here; broker/urls.py leads to the same view directly, past this layer."""
    return token.provider_token(request, tenant, provider)


@api.post(
    "/connections/{connection_id}/feedback",
    response={200: FeedbackOut, **_PROBLEMS},
    auth=ApiKeyAuth(Operation.TOKEN_READ),
    operation_id="reportFailure",
    summary="Report that the provider's API refused a token",
)
def report_failure(request: HttpRequest, connection_id: str, body: FeedbackIn) -> FeedbackOut:
    grant = _grant(request)
    verdict = feedback.report(
        _connection(grant, connection_id),
        status=body.status,
        version=body.version,
        www_authenticate=body.www_authenticate,
        actor=audit.caller(grant.caller_name),
    )
    return FeedbackOut(
        verdict=verdict.verdict,
        action=verdict.action,
        state=verdict.state,
        reason=verdict.reason,
        version=verdict.version,
        connect_url=verdict.connect_url,
    )


def _grant(request: HttpRequest) -> Grant:
    grant: Grant = request.auth  # type: ignore[attr-defined]
    return grant


def _tenant(grant: Grant, slug: str) -> Tenant:
    tenant = register.tenant_by_slug(slug)
    if grant.tenant_ids is not None and tenant.id not in grant.tenant_ids:
        raise TenantNotFound(f"no tenant has the slug {slug[:64]!r}")
    return tenant


def _connection(grant: Grant, connection_id: str, *, tenant: Tenant | None = None) -> Connection:
    rows = Connection.objects.select_related("tenant", "registration", "credential", "slot")
    row = rows.for_tenants(grant.tenant_ids).filter(pk=_uuid(connection_id)).first()
    if row is None or not callers.may_see(grant, tenant_id=row.tenant_id, provider_id=row.provider_id):
        raise ConnectionNotFound()
    if tenant is not None and row.tenant_id != tenant.id:
        raise ConnectionNotFound()
    return row


def _uuid(text: str) -> UUID:
    # A malformed id looks like an unknown one: no row has the id of zeros.
    try:
        return UUID(text) if len(text) == 36 else UUID(int=0)
    except ValueError:
        return UUID(int=0)


@api.exception_handler(BrokerError)
def _on_broker_error(_request: HttpRequest, error: Any) -> HttpResponse:
    return problems.response(error)


@api.exception_handler(ValidationError)
def _on_validation_error(_request: HttpRequest, error: Any) -> HttpResponse:
    # Only where and what is expected: never the value, which may be a secret put in the wrong place.
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"][1:] if part != "body") or "body"
    return problems.response(InvalidRequest(f"{place}: {first['msg']}"))


@api.exception_handler(HttpError)
def _on_unreadable_body(_request: HttpRequest, _error: Any) -> HttpResponse:
    # The framework says this, and nothing else, when `parsing` refuses a body.
    return problems.bad_request("the body is not well-formed JSON, or repeats a member")


@api.exception_handler(RequestDataTooBig)
def _on_body_too_big(_request: HttpRequest, _error: Any) -> HttpResponse:
    return problems.response(BodyTooLarge("at most 256 KiB"))


@api.exception_handler(Exception)
def _on_fault(_request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("unhandled fault", exc_info=error)
    return problems.internal_error()
