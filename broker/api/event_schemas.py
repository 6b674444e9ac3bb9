"""Events and webhook endpoints, as OpenAPI shows them. Two of them hold a secret, shown once."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from broker.api.examples import CONNECTION_ID, LABEL, PROVIDER, TENANT
from broker.api.schemas import StrictSchema, shown
from broker.services import webhooks

ENDPOINT_ID = "3f0e9c5a-6d0b-4a53-9a0e-2c8f1d7b6e42"
DELIVERY_ID = "b2a7d7c4-1f5e-4f0c-8a39-5d1e6c0f9b73"
EVENT_ID = "msg_5f2b8c1e9a7d4f3cb6e0a1d2c3b4e5f6"
_URL = "https://invoicing.example/hooks/broker"
_SECRET = "whsec_EXAMPLESECRETEXAMPLESECRETEXAMPLESECRETEXAM="
_AT = "2026-03-02T09:15:00Z"
EVENT: dict[str, Any] = {
    "id": EVENT_ID,
    "cursor": "4711",
    "type": "connection.reauthorization_required",
    "timestamp": _AT,
    "data": {
        "connection": CONNECTION_ID,
        "tenant": TENANT,
        "provider": PROVIDER,
        "environment": "production",
        "label": LABEL,
        "state": "reauthorization_required",
        "reason": "grant_revoked",
        "previous_state": "connected",
    },
}
ENDPOINT: dict[str, Any] = {
    "id": ENDPOINT_ID,
    "url": _URL,
    "types": ["connection.reauthorization_required"],
    "description": "Tells the customer",
    "enabled": True,
    "disabled_because": "",
    "failing_since": None,
    "previous_secret_ends_at": None,
    "created_at": _AT,
}
DELIVERY: dict[str, Any] = {
    "id": DELIVERY_ID,
    "endpoint": ENDPOINT_ID,
    "event": EVENT_ID,
    "type": "connection.reauthorization_required",
    "state": "waiting",
    "replayed": False,
    "tries": [{"at": _AT, "status": 503, "error": None, "ms": 87}],
    "next_try_at": "2026-03-02T09:15:05Z",
    "created_at": _AT,
    "ended_at": None,
}

Target = Annotated[
    str, Field(min_length=1, max_length=500, description="A public https address, or one that operators have opened.")
]
Types = Annotated[
    list[Annotated[str, Field(max_length=60)]],
    Field(max_length=50, description="Event types to be told of; empty: all."),
]
Description = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$", description="For people.")]
DeliveryState = Literal["waiting", "delivered", "given_up", "dropped"]


class EventOut(Schema):
    model_config = shown(EVENT)

    id: str = Field(description="The same as `webhook-id` of its webhooks.")
    cursor: str = Field(description="Goes on after this event.")
    type: str
    timestamp: datetime = Field(description="When it happened.")
    data: dict[str, Any]


class EventPage(Schema):
    model_config = shown({"items": [EVENT], "next_cursor": "4711"})

    items: list[EventOut]
    next_cursor: str = Field(description="Give it as `cursor`: the list of events has no end.")


class WebhookEndpointIn(StrictSchema):
    model_config = shown({"url": _URL, "types": ENDPOINT["types"], "description": "Tells the customer"}, extra="forbid")

    url: Target
    types: Types = []
    description: Description = ""


class WebhookEndpointChange(StrictSchema):
    model_config = shown({"types": [], "enabled": True}, extra="forbid")

    url: Target | None = None
    types: Types | None = None
    description: Description | None = None
    enabled: Annotated[
        bool | None, Field(strict=True, description="False sends nothing more, and drops what waits.")
    ] = None


class WebhookEndpointOut(Schema):
    model_config = shown(ENDPOINT)

    id: UUID
    url: str
    types: list[str]
    description: str
    enabled: bool
    disabled_because: Literal["", "caller", "gone", "failing", "staff"] = Field(
        description="`gone`: it answered 410. `failing`: it accepted nothing for three days."
    )
    failing_since: datetime | None = Field(description="Since when nothing was accepted.")
    previous_secret_ends_at: datetime | None = Field(description="Until when the secret before signs as well.")
    created_at: datetime


class WebhookEndpointCreated(WebhookEndpointOut):
    model_config = shown({**ENDPOINT, "secret": _SECRET})

    secret: str = Field(description="What its webhooks are signed with: shown this once.")


class WebhookEndpointList(Schema):
    model_config = shown({"items": [ENDPOINT]})

    items: list[WebhookEndpointOut]


class SecretRotationIn(StrictSchema):
    model_config = shown({"overlap_seconds": webhooks.OVERLAP_SECONDS}, extra="forbid")

    overlap_seconds: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=webhooks.LONGEST_OVERLAP_SECONDS,
            description="For how long the secret before signs as well; 0: not at all.",
        ),
    ] = webhooks.OVERLAP_SECONDS


class SecretRotated(Schema):
    model_config = shown({"secret": _SECRET, "previous_secret_ends_at": "2026-03-03T09:15:00Z"})

    secret: str = Field(description="The new one: shown this once.")
    previous_secret_ends_at: datetime | None = Field(
        description="Null: the secret before is good for nothing any more."
    )


class DeliveryTry(Schema):
    at: datetime
    status: int | None = None
    error: str | None = Field(None, description="Why there was no status.")
    ms: int | None = Field(None, description="For how many milliseconds it was out.")


class DeliveryOut(Schema):
    model_config = shown(DELIVERY)

    id: UUID
    endpoint: UUID
    event: str = Field(description="The event's id.")
    type: str
    state: DeliveryState
    replayed: bool = Field(description="Somebody asked for it.")
    tries: list[DeliveryTry]
    next_try_at: datetime | None = Field(description="Null: there is none.")
    created_at: datetime
    ended_at: datetime | None


class DeliveryPage(Schema):
    model_config = shown({"items": [DELIVERY], "next_cursor": None})

    items: list[DeliveryOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null ends the list.")
