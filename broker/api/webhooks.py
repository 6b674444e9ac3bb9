"""Webhook endpoints of a caller: where it wants to be told, and what was delivered there."""

from typing import Annotated, Any, cast

from django.http import HttpRequest
from ninja import Query, Router, Status

from broker import errors
from broker.api.authentication import ApiKeyAuth
from broker.api.describing import EVENTS, described
from broker.api.event_schemas import (
    DeliveryOut,
    DeliveryPage,
    DeliveryState,
    SecretRotated,
    SecretRotationIn,
    WebhookEndpointChange,
    WebhookEndpointCreated,
    WebhookEndpointIn,
    WebhookEndpointList,
    WebhookEndpointOut,
)
from broker.api.hot import uuid_of
from broker.api.idempotency import idempotent
from broker.api.lookups import grant_of
from broker.api.paging import Cursor, Limit
from broker.services import outbox, webhooks
from broker.services.policy import Grant
from tenants.audit import Actor
from tenants.models import Operation, WebhookDelivery, WebhookEndpoint

router = Router(tags=[EVENTS])
_AUTH = ApiKeyAuth(Operation.WEBHOOK_MANAGE)
_State = Annotated[DeliveryState | None, Query(description="Only those that stand so.")]


@router.post(
    "/webhook-endpoints",
    response={201: WebhookEndpointCreated},
    auth=_AUTH,
    operation_id="createWebhookEndpoint",
    summary="Be told of events at an address",
    description="From now on, of what this caller may see. The answer is the only one that shows the signing secret.",
    openapi_extra=described(errors.WebhookTargetRefused),
)
@idempotent
def create_webhook_endpoint(request: HttpRequest, body: WebhookEndpointIn) -> Status[WebhookEndpointCreated]:
    grant = grant_of(request)
    row, secret = webhooks.create(
        grant, url=body.url, types=body.types, description=body.description, actor=_actor(grant)
    )
    return Status(201, WebhookEndpointCreated(**_endpoint(row), secret=secret))


@router.get(
    "/webhook-endpoints",
    response={200: WebhookEndpointList},
    auth=_AUTH,
    operation_id="listWebhookEndpoints",
    summary="This caller's webhook endpoints, newest first",
    description="All of them: a caller has 20 at most.",
    openapi_extra=described(),
)
def list_webhook_endpoints(request: HttpRequest) -> WebhookEndpointList:
    return WebhookEndpointList(items=[_shown(row) for row in webhooks.of(grant_of(request))])


@router.get(
    "/webhook-endpoints/{endpoint_id}",
    response={200: WebhookEndpointOut},
    auth=_AUTH,
    operation_id="getWebhookEndpoint",
    summary="One webhook endpoint, and how it stands",
    description="Whether it is enabled, why not, and since when nothing was accepted there.",
    openapi_extra=described(errors.WebhookEndpointNotFound),
)
def get_webhook_endpoint(request: HttpRequest, endpoint_id: str) -> WebhookEndpointOut:
    return _shown(_found(request, endpoint_id))


@router.patch(
    "/webhook-endpoints/{endpoint_id}",
    response={200: WebhookEndpointOut},
    auth=_AUTH,
    operation_id="changeWebhookEndpoint",
    summary="Change, disable or enable a webhook endpoint",
    description="Members that are left out stay as they are. Enabled again, it is told of what happens from then on.",
    openapi_extra=described(errors.WebhookEndpointNotFound, errors.WebhookTargetRefused),
)
def change_webhook_endpoint(request: HttpRequest, endpoint_id: str, body: WebhookEndpointChange) -> WebhookEndpointOut:
    row, actor = _found(request, endpoint_id), _actor(grant_of(request))
    webhooks.change(row, url=body.url, types=body.types, description=body.description, actor=actor)
    if body.enabled is False:
        webhooks.disable(row.pk, webhooks.Because.CALLER, actor=actor)
    elif body.enabled:
        webhooks.enable(row.pk, actor=actor)
    return _shown(_found(request, endpoint_id))


@router.delete(
    "/webhook-endpoints/{endpoint_id}",
    response={204: None},
    auth=_AUTH,
    operation_id="deleteWebhookEndpoint",
    summary="End a webhook endpoint, and all that waits for it",
    description="What was delivered is forgotten with it. Its events stay in the list of events.",
    openapi_extra=described(errors.WebhookEndpointNotFound),
)
@idempotent
def delete_webhook_endpoint(request: HttpRequest, endpoint_id: str) -> Status[None]:
    webhooks.delete(_found(request, endpoint_id), actor=_actor(grant_of(request)))
    return Status(204, None)


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    response={200: SecretRotated},
    auth=_AUTH,
    operation_id="rotateWebhookSecret",
    summary="Give a webhook endpoint a new signing secret",
    description="For a while the secret before signs as well, so that the receiver can change over.",
    openapi_extra=described(errors.WebhookEndpointNotFound, errors.StorageFault),
)
@idempotent
def rotate_webhook_secret(request: HttpRequest, endpoint_id: str, body: SecretRotationIn) -> SecretRotated:
    row, actor = _found(request, endpoint_id), _actor(grant_of(request))
    secret, ends = webhooks.rotate_secret(row, overlap_seconds=body.overlap_seconds, actor=actor)
    return SecretRotated(secret=secret, previous_secret_ends_at=ends)


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    response={202: DeliveryOut},
    auth=_AUTH,
    operation_id="testWebhookEndpoint",
    summary="Send a test event to a webhook endpoint",
    description="`webhook.test`, on the way that every event takes. The delivery tells what came of it.",
    openapi_extra=described(errors.WebhookEndpointNotFound),
)
@idempotent
def test_webhook_endpoint(request: HttpRequest, endpoint_id: str) -> Status[DeliveryOut]:
    delivery = webhooks.send_test(_found(request, endpoint_id), actor=_actor(grant_of(request)))
    return Status(202, _delivery(delivery))


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries",
    response={200: DeliveryPage},
    auth=_AUTH,
    operation_id="listWebhookDeliveries",
    summary="What was sent to a webhook endpoint, newest first",
    description="For as long as their events are kept, each with its tries.",
    openapi_extra=described(errors.WebhookEndpointNotFound),
)
def list_webhook_deliveries(
    request: HttpRequest, endpoint_id: str, state: _State = None, cursor: Cursor = "", limit: Limit = 50
) -> DeliveryPage:
    place = uuid_of(cursor) if cursor else None
    found = webhooks.page(_found(request, endpoint_id), state=state, after=place, limit=limit + 1)
    more = str(found[limit - 1].uid) if len(found) > limit else None
    return DeliveryPage(items=[_delivery(row) for row in found[:limit]], next_cursor=more)


@router.get(
    "/webhook-deliveries/{delivery_id}",
    response={200: DeliveryOut},
    auth=_AUTH,
    operation_id="getWebhookDelivery",
    summary="One delivery, with its tries",
    description="When it was tried and what was answered, by status; the answers' bodies are not kept.",
    openapi_extra=described(errors.WebhookDeliveryNotFound),
)
def get_webhook_delivery(request: HttpRequest, delivery_id: str) -> DeliveryOut:
    return _delivery(webhooks.find_delivery(grant_of(request), uuid_of(delivery_id)))


@router.post(
    "/webhook-deliveries/{delivery_id}/replay",
    response={202: DeliveryOut},
    auth=_AUTH,
    operation_id="replayWebhookDelivery",
    summary="Send an event once more",
    description="At once and out of turn, by a delivery of its own; one that still waits is only sent at once.",
    openapi_extra=described(errors.WebhookDeliveryNotFound),
)
@idempotent
def replay_webhook_delivery(request: HttpRequest, delivery_id: str) -> Status[DeliveryOut]:
    grant = grant_of(request)
    found = webhooks.find_delivery(grant, uuid_of(delivery_id))
    return Status(202, _delivery(webhooks.replay(found, actor=_actor(grant))))


def _found(request: HttpRequest, endpoint_id: str) -> WebhookEndpoint:
    return webhooks.find(grant_of(request), uuid_of(endpoint_id))


def _actor(grant: Grant) -> Actor:
    return grant.actor


def _shown(row: WebhookEndpoint) -> WebhookEndpointOut:
    return WebhookEndpointOut(**_endpoint(row))


def _endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "types": row.types,
        "description": row.description,
        "enabled": row.disabled_at is None,
        "disabled_because": row.disabled_because,
        "failing_since": row.failing_since,
        "previous_secret_ends_at": row.previous_secrets_end_at,
        "created_at": row.created_at,
    }


def _delivery(row: WebhookDelivery) -> DeliveryOut:
    return DeliveryOut(
        id=row.uid,
        endpoint=row.endpoint_id,
        event=outbox.message_id(row.event),
        type=row.event.type,
        state=cast(DeliveryState, row.state),
        replayed=row.replayed,
        tries=row.tries,
        next_try_at=row.due_at if row.state == WebhookDelivery.State.WAITING else None,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
