"""Connections as callers see them, and the end of one."""

import json
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.responses import NinjaJSONEncoder

from broker import errors
from broker.api import paging, presentation
from broker.api.authentication import ApiKeyAuth
from broker.api.describing import CONNECTIONS, described
from broker.api.idempotency import idempotent_in_steps
from broker.api.lookups import connection_of, grant_of
from broker.api.reply import as_response, encoded
from broker.api.schemas import ConnectionOut, ConnectionPage, Disconnected
from broker.errors import InvalidRequest
from broker.services import listing, revoke
from tenants.models import Operation, State

router = Router(tags=[CONNECTIONS])


@router.get(
    "/connections",
    response={200: ConnectionPage},
    auth=ApiKeyAuth(Operation.CONNECTION_READ),
    operation_id="listConnections",
    summary="Connections, newest first",
    description="Those that this caller may see. A page costs the same wherever it is in the list.",
    openapi_extra=described(),
)
def list_connections(
    request: HttpRequest,
    tenant: Annotated[str, Query(description="Only this tenant's, by its slug.")] = "",
    provider: Annotated[str, Query(description="Only those at this provider.")] = "",
    state: Annotated[str, Query(description="Only those in this state.")] = "",
    cursor: paging.Cursor = "",
    limit: paging.Limit = 50,
) -> HttpResponse:
    grant = grant_of(request)
    if state and state not in State.values:
        raise InvalidRequest(f"state must be one of {', '.join(State.values)}")
    after = paging.place_of(cursor)
    found, more = listing.connections(grant, limit, tenant=tenant, provider=provider, state=state, after=after)
    next_cursor = paging.cursor_of(found[-1].created_at, found[-1].id) if more else None
    # Made as the schema says, see the tests: to have it validated took longer than all the rest.
    page = {"items": list(map(presentation.summary, found)), "next_cursor": next_cursor}
    return as_response(encoded(json.dumps(page, cls=NinjaJSONEncoder).encode()))


@router.get(
    "/connections/{connection_id}",
    response={200: ConnectionOut},
    auth=ApiKeyAuth(Operation.CONNECTION_READ),
    operation_id="getConnection",
    summary="One connection, with what happened to it",
    description="State and reason, scopes asked for, granted and missing, when its token ends and is renewed next, "
    "and its last 50 events.",
    openapi_extra=described(errors.ConnectionNotFound),
)
def get_connection(request: HttpRequest, connection_id: str) -> ConnectionOut:
    return presentation.connection(connection_of(grant_of(request), connection_id))


@router.delete(
    "/connections/{connection_id}",
    response={200: Disconnected},
    auth=ApiKeyAuth(Operation.CONNECTION_MANAGE),
    operation_id="disconnect",
    summary="Stop using a connection at once, and revoke it at the provider",
    description="Nothing is handed out from here on. The provider is told now, or for up to seven days until it hears.",
    openapi_extra=described(errors.ConnectionNotFound),
)
@idempotent_in_steps
def disconnect(request: HttpRequest, connection_id: str) -> Disconnected:
    grant = grant_of(request)
    row = connection_of(grant, connection_id)
    told = revoke.disconnect(row, actor=grant.actor)
    return Disconnected(state="disconnected", revoked_at_provider=told)
