"""Connect links: made by callers for their customers."""

from django.http import HttpRequest
from ninja import Router, Status

from broker import errors
from broker.api import presentation
from broker.api.authentication import ApiKeyAuth
from broker.api.describing import CONNECTING, described
from broker.api.hot import uuid_of
from broker.api.idempotency import idempotent
from broker.api.lookups import connection_of, grant_of, tenant_of
from broker.api.schemas import ConnectSessionCreated, ConnectSessionIn, ConnectSessionOut
from broker.errors import ConnectSessionNotFound, InvalidRequest
from broker.services import policy, sessions
from broker.services.sessions import Link
from tenants.audit import Actor
from tenants.models import Connection, ConnectSession, Operation, Tenant

router = Router(tags=[CONNECTING])


@router.post(
    "/connect-sessions",
    response={201: ConnectSessionCreated},
    auth=ApiKeyAuth(Operation.CONNECT_CREATE),
    operation_id="createConnectSession",
    summary="Make a link that lets a customer connect, or repair a connection",
    description="The link leads one customer through connecting, within half an hour and in one browser. "
    "With `connection` it repairs that one, which keeps its id.",
    openapi_extra=described(
        errors.TenantNotFound, errors.ConnectionNotFound, errors.ProviderNotAvailable, errors.ReturnUrlNotAllowed
    ),
)
@idempotent
def create_connect_session(request: HttpRequest, body: ConnectSessionIn) -> Status[ConnectSessionCreated]:
    grant = grant_of(request)
    tenant = tenant_of(grant, body.tenant)
    for provider_id in body.providers:
        if not policy.may_see(grant, tenant_id=tenant.id, provider_id=provider_id):
            raise InvalidRequest("providers: this API key does not serve one of them")
    repaired = connection_of(grant, str(body.connection), tenant=tenant) if body.connection else None
    if repaired and body.providers != [repaired.provider_id]:
        raise InvalidRequest("providers must name the one provider of the connection to repair")
    link = _made(tenant, body, repaired, grant.actor)
    created = ConnectSessionCreated(id=link.session.id, url=link.url, expires_at=link.session.expires_at)
    return Status(201, created)


def _made(tenant: Tenant, body: ConnectSessionIn, repaired: Connection | None, actor: Actor) -> Link:
    return sessions.create(
        tenant,
        body.providers,
        return_url=body.return_url,
        locale=body.locale,
        label=body.label,
        connection=repaired,
        actor=actor,
    )


@router.get(
    "/connect-sessions/{session_id}",
    response={200: ConnectSessionOut},
    auth=ApiKeyAuth(Operation.CONNECT_CREATE),
    operation_id="getConnectSession",
    summary="What came of a link",
    description="How far the customer has come, and the connection once there is one. "
    "A session is forgotten a day after its end.",
    openapi_extra=described(errors.ConnectSessionNotFound),
)
def get_connect_session(request: HttpRequest, session_id: str) -> ConnectSessionOut:
    grant = grant_of(request)
    rows = ConnectSession.objects.select_related("tenant").for_tenants(grant.tenant_ids)
    row = rows.filter(pk=uuid_of(session_id), tenant__deleted_at=None).first()
    if row is None or not all(policy.serves(grant, provider) for provider in row.providers):
        raise ConnectSessionNotFound()
    return presentation.connect_session(row)
