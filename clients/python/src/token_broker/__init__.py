"""Talk to a token broker: always a valid token, and `auth` for httpx and requests that needs no token code at all."""

from token_broker.async_client import AsyncTokenBroker
from token_broker.auth import AsyncBrokerAuth, BrokerAuth
from token_broker.behalf import on_behalf_of
from token_broker.client import TokenBroker
from token_broker.conversation import Answer
from token_broker.errors import (
    BodyNotReadable,
    BrokerFault,
    BrokerUnreachable,
    CustomerNeeded,
    Disconnected,
    ForeignOrigin,
    InvalidRequest,
    NotAllowed,
    NotFound,
    ProviderSideMissing,
    ReauthorizationRequired,
    Refused,
    ScopeMissing,
    Suspended,
    TokenBrokerError,
    TryLater,
    UnsupportedOperation,
    WebhookRefused,
)
from token_broker.values import Connection, ConnectLink, Event, Headers, Place, Token, Verdict
from token_broker.webhooks import verify as verify_webhook

__all__ = [
    "Answer",
    "AsyncBrokerAuth",
    "AsyncTokenBroker",
    "BodyNotReadable",
    "BrokerAuth",
    "BrokerFault",
    "BrokerUnreachable",
    "ConnectLink",
    "Connection",
    "CustomerNeeded",
    "Disconnected",
    "Event",
    "ForeignOrigin",
    "Headers",
    "InvalidRequest",
    "NotAllowed",
    "NotFound",
    "Place",
    "ProviderSideMissing",
    "ReauthorizationRequired",
    "Refused",
    "ScopeMissing",
    "Suspended",
    "Token",
    "TokenBroker",
    "TokenBrokerError",
    "TryLater",
    "UnsupportedOperation",
    "Verdict",
    "WebhookRefused",
    "on_behalf_of",
    "verify_webhook",
]
