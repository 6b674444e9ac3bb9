"""What goes in and out, as OpenAPI shows it. No schema but Token holds a secret."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Url = Annotated[str, StringConstraints(max_length=500)]
HeaderName = Annotated[str, StringConstraints(max_length=100)]
HeaderValue = Annotated[str, StringConstraints(max_length=2000)]


class StrictSchema(Schema):
    """Refuses members it does not know: a misspelt one must not be silently ignored."""

    model_config = ConfigDict(extra="forbid")


class Problem(Schema):
    """Problem details (RFC 9457). docs/errors.md lists every code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    retry_after: float | None = None
    action: str
    connect_url: str | None = None


class ConnectSessionIn(StrictSchema):
    tenant: Slug
    providers: Annotated[list[Slug], Field(min_length=1, max_length=20)]
    return_url: Url = ""
    locale: Annotated[str, StringConstraints(max_length=10)] = ""
    label: Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f]*$")] = ""
    connection: UUID | None = None


class ConnectSessionCreated(Schema):
    id: UUID
    url: str
    expires_at: datetime


class ConnectSessionOut(Schema):
    id: UUID
    tenant: str
    providers: list[str]
    state: Literal["open", "started", "completed", "expired"]
    outcome: str
    connection: UUID | None
    expires_at: datetime


class ConnectionSummary(Schema):
    id: UUID
    tenant: str
    provider: str
    environment: str
    label: str
    state: str
    reason: str
    reason_text: str
    external_account: str
    external_account_id: str
    connected_at: datetime | None


class TimelineEntry(Schema):
    at: datetime
    action: str
    actor: str
    detail: dict[str, Any]


class ConnectionOut(ConnectionSummary):
    base_url: str | None
    scopes_asked: list[str]
    scopes_granted: list[str]
    access_token_expires_at: datetime | None
    version: int | None
    next_renewal_at: datetime | None
    timeline: list[TimelineEntry]


class ConnectionPage(Schema):
    items: list[ConnectionSummary]
    next_cursor: str | None


class Disconnected(Schema):
    state: Literal["disconnected"]
    revoked_at_provider: bool | Literal["pending"]


class FeedbackIn(StrictSchema):
    status: Annotated[int, Field(strict=True, ge=100, le=599)]
    version: Annotated[int, Field(strict=True, ge=0, lt=2**63)]
    www_authenticate: Annotated[str, StringConstraints(max_length=2000)] = ""
    scope: Annotated[str, StringConstraints(max_length=2000)] = ""
    body: Annotated[str, StringConstraints(max_length=8000)] = ""
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=50)] = {}


class FeedbackOut(Schema):
    verdict: str
    action: str
    state: str
    reason: str
    version: int | None
    connect_url: str | None
    explanation: str
    error_id: str | None
    retry_after: float | None
    rate_limit: dict[str, str]


class HeadersIn(StrictSchema):
    method: str
    url: str
    body: str | None = None
    body_base64: str | None = None
    body_digest: str | None = None
    content_type: str | None = None
    headers: dict[str, str] | None = None


class HeadersOut(Schema):
    headers: dict[str, str]
    single_use: bool
    valid_until: datetime | None
    transaction_id: str | None
    version: int
    base_url: str
    degraded: str | None


class TokenOut(Schema):
    access_token: str
    token_type: str
    expires_at: datetime | None
    scope: str
    version: int
    base_url: str
    headers: dict[str, str]
    degraded: str | None
