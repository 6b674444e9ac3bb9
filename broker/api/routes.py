"""The described API: each route parses, calls one service, and shows the result."""

import logging
from typing import Annotated, Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Query, Status
from ninja.errors import HttpError, ValidationError

from broker.api import handing_out, paging, presentation, problems
from broker.api.authentication import ApiKeyAuth
from broker.api.hot import uuid_of
from broker.api.lookups import PROBLEMS, connection_of, grant_of, tenant_of
from broker.api.parsing import StrictParser
from broker.api.schemas import (
    ConnectionOut,
    ConnectionPage,
    ConnectSessionCreated,
    ConnectSessionIn,
    ConnectSessionOut,
    Disconnected,
)
from broker.errors import BodyTooLarge, BrokerError, ConnectSessionNotFound, InvalidRequest
from broker.services import policy, revoke, sessions
from tenants import audit
from tenants.models import Connection, ConnectSession, Operation, State

logger = logging.getLogger(__name__)
Limit = Annotated[int, Query(ge=1, le=200)]

api = NinjaAPI(
    title="Token broker",
    version="1",
    description="Connect an accounting system once, and always have a valid access token for it.",
    urls_namespace="api-v1",
    openapi_url="/openapi.json",
    docs_url=None,
    parser=StrictParser(),
)
api.add_router("", handing_out.router)


@api.post(
    "/connect-sessions",
    response={201: ConnectSessionCreated, **PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECT_CREATE),
    operation_id="createConnectSession",
    summary="Make a link that lets a customer connect, or repair a connection",
)
def create_connect_session(request: HttpRequest, body: ConnectSessionIn) -> Status[ConnectSessionCreated]:
    grant = grant_of(request)
    tenant = tenant_of(grant, body.tenant)
    for provider_id in body.providers:
        if not policy.may_see(grant, tenant_id=tenant.id, provider_id=provider_id):
            raise InvalidRequest("providers: this API key does not serve one of them")
    repaired = connection_of(grant, str(body.connection), tenant=tenant) if body.connection else None
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
    response={200: ConnectSessionOut, **PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECT_CREATE),
    operation_id="getConnectSession",
    summary="What came of a link",
)
def get_connect_session(request: HttpRequest, session_id: str) -> ConnectSessionOut:
    grant = grant_of(request)
    rows = ConnectSession.objects.select_related("tenant").for_tenants(grant.tenant_ids)
    row = rows.filter(pk=uuid_of(session_id)).first()
    if row is None or (grant.providers and not grant.providers.issuperset(row.providers)):
        raise ConnectSessionNotFound()
    return presentation.connect_session(row)


@api.get(
    "/connections",
    response={200: ConnectionPage, **PROBLEMS},
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
    grant = grant_of(request)
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
    response={200: ConnectionOut, **PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECTION_READ),
    operation_id="getConnection",
    summary="One connection, with what happened to it",
)
def get_connection(request: HttpRequest, connection_id: str) -> ConnectionOut:
    return presentation.connection(connection_of(grant_of(request), connection_id))


@api.delete(
    "/connections/{connection_id}",
    response={200: Disconnected, **PROBLEMS},
    auth=ApiKeyAuth(Operation.CONNECTION_MANAGE),
    operation_id="disconnect",
    summary="Stop using a connection at once, and revoke it at the provider",
)
def disconnect(request: HttpRequest, connection_id: str) -> Disconnected:
    grant = grant_of(request)
    row = connection_of(grant, connection_id)
    told = revoke.disconnect(row, actor=audit.caller(grant.caller_name))
    return Disconnected(state="disconnected", revoked_at_provider=told)


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
