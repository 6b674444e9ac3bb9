"""What goes in and out, as OpenAPI shows it. No schema but TokenOut and HeadersOut holds a provider's secret."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from broker.api import examples

Slug = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Url = Annotated[str, StringConstraints(max_length=500)]
HeaderName = Annotated[str, StringConstraints(max_length=100)]
HeaderValue = Annotated[str, StringConstraints(max_length=2000)]
StateName = Literal["pending", "connected", "degraded", "reauthorization_required", "suspended", "disconnected"]
Progress = Literal["open", "started", "completed", "expired"]
VerdictName = Literal[
    "stale_version",
    "renewed",
    "scope_missing",
    "right_missing",
    "account_unverified",
    "confirmed_dead",
    "provider_unavailable",
    "not_a_token_problem",
]
Degraded = Annotated[
    str | None, Field(description="Null, or why the connection needs attention although this works: a reason.")
]
BaseUrl = Annotated[str, Field(description="Where the provider's API lives: the beginning of every URL.")]
Version = Annotated[int, Field(description="Goes up with each renewal. Give it back when you report a failure.")]


def shown(example: dict[str, Any], *, extra: Literal["forbid"] | None = None) -> ConfigDict:
    """Return a schema's configuration, with the example that the document shows wherever the schema is used."""
    config = ConfigDict(json_schema_extra={"examples": [example]})
    return ConfigDict(**config, extra=extra) if extra else config


class StrictSchema(Schema):
    """Refuses members it does not know: a misspelt one must not be silently ignored."""

    model_config = ConfigDict(extra="forbid")


class Problem(Schema):
    """Problem details (RFC 9457). Programs look at `code`, or only at `retryable` and `action`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    retry_after: float | None = Field(description="Seconds until it is worth asking again; null: not known.")
    action: str = Field(description="What a program does about it.")
    connect_url: str = Field("", description="A secret link for the customer, who has to act.")
    reason: str = Field("", description="Why the customer must connect again.")
    field: str = Field("", description="The place in the request that was described for signing.")
    problem: str = Field("", description="What is wrong there, in a word.")
    position: int = Field(0, description="Where in the value, counted in characters from 0.")
    scope: str = Field("", description="The scope that the provider does not have.")
    supported: list[str] = Field([], description="What it has, or can do, instead.")


class ConnectSessionIn(StrictSchema):
    model_config = shown(examples.SESSION_IN)

    tenant: Annotated[Slug, Field(description="The tenant's slug.")]
    providers: Annotated[
        list[Slug], Field(min_length=1, max_length=20, description="What the customer may connect with this link.")
    ]
    return_url: Annotated[Url, Field(description="Where the result page leads: one of the tenant's list.")] = ""
    locale: Annotated[str, Field(max_length=10, description="Language of the pages; without it the tenant's.")] = ""
    label: Annotated[
        str,
        Field(max_length=100, pattern=r"^[^\x00-\x1f]*$", description="Tells several connections at one apart."),
    ] = ""
    connection: Annotated[UUID | None, Field(description="The connection to repair.")] = None


class ConnectSessionCreated(Schema):
    model_config = shown(examples.SESSION_CREATED)

    id: UUID
    url: str = Field(description="The link: a secret for one customer, opened often and used once.")
    expires_at: datetime


class ConnectSessionOut(Schema):
    model_config = shown(examples.SESSION)

    id: UUID
    tenant: str
    providers: list[str]
    state: Progress
    outcome: str = Field(description="`connected`, or why not; empty while nothing came of it.")
    connection: UUID | None = Field(description="What was connected or is to be repaired.")
    expires_at: datetime


class ConnectionSummary(Schema):
    model_config = shown(examples.SUMMARY)

    id: UUID = Field(description="Never changes, reconnecting included.")
    tenant: str
    provider: str
    environment: str
    label: str
    state: StateName
    reason: str = Field(description="Why it is not simply connected; empty when it is.")
    reason_text: str
    external_account: str = Field(description="The account's name at the provider.")
    external_account_id: str = Field(description="The provider's own id of the account.")
    connected_at: datetime | None = Field(description="When the customer last connected.")


class TimelineEntry(Schema):
    at: datetime
    action: str
    actor: str
    detail: dict[str, Any]


class ConnectionOut(ConnectionSummary):
    model_config = shown(examples.CONNECTION)

    base_url: str | None = Field(description="Where the provider's API lives; null when no longer known.")
    scopes_asked: list[str]
    scopes_granted: list[str]
    scopes_missing: list[str] = Field(description="Asked for and not granted.")
    access_token_expires_at: datetime | None
    version: int | None
    next_renewal_at: datetime | None
    timeline: list[TimelineEntry] = Field(description="The last 50 events, newest first.")


class ConnectionPage(Schema):
    model_config = shown(examples.PAGE)

    items: list[ConnectionSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null ends the list.")


class Disconnected(Schema):
    model_config = shown(examples.DISCONNECTED)

    state: Literal["disconnected"]
    revoked_at_provider: bool | Literal["pending"] = Field(
        description="True: confirmed. `pending`: it will be told. False: it cannot be told."
    )


class FeedbackIn(StrictSchema):
    model_config = shown(examples.FEEDBACK_IN)

    status: Annotated[int, Field(strict=True, ge=100, le=599, description="The status that the API answered.")]
    version: Annotated[int, Field(strict=True, ge=0, lt=2**63, description="Of the token or headers that were used.")]
    www_authenticate: Annotated[str, Field(max_length=2000, description="That header, if there was one.")] = ""
    scope: Annotated[str, Field(max_length=2000, description="What the token was asked for with, if anything.")] = ""
    body: Annotated[str, Field(max_length=8000, description="The body of the answer, its beginning.")] = ""
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=50, description="Of the answer.")] = {}


class FeedbackOut(Schema):
    model_config = shown(examples.FEEDBACK)

    verdict: VerdictName
    action: str = Field(description="What to do now.")
    state: StateName
    reason: str
    version: int | None = Field(description="The current one.")
    connect_url: str | None = Field(description="The repair link, when only the customer can help.")
    explanation: str = Field(description="A sentence for the customer, where the catalogue has one.")
    error_id: str | None = Field(description="The provider's reference, which its support asks for.")
    retry_after: float | None
    rate_limit: dict[str, str] = Field(description="The provider's own rate-limit headers.")


class HeadersIn(StrictSchema):
    model_config = shown(examples.HEADERS_IN)

    method: str = Field(description="In capitals.")
    url: str = Field(description="The whole URL, as it will be sent.")
    body: Annotated[str | None, Field(description="As text that is sent in UTF-8.")] = None
    body_base64: Annotated[str | None, Field(description="Or in base64, for other bytes.")] = None
    body_digest: Annotated[str | None, Field(description="Or its MD5 in hex, for a body that stays with you.")] = None
    content_type: Annotated[str | None, Field(description="The Content-Type it will be sent with.")] = None
    headers: Annotated[dict[str, str] | None, Field(description="Further headers of yours.")] = None


class HeadersOut(Schema):
    model_config = shown(examples.HEADERS)

    connection_id: UUID
    headers: dict[str, str] = Field(description="Send them with the request, exactly as they are.")
    single_use: bool = Field(description="True: for this one request, sent once.")
    valid_until: datetime | None = Field(description="Send it before this instant; null: no end.")
    transaction_id: str | None = Field(description="The provider's name for the request.")
    version: Version
    base_url: BaseUrl
    degraded: Degraded


class TokenOut(Schema):
    model_config = shown(examples.TOKEN)

    connection_id: UUID
    access_token: str = Field(description="Do not store it: ask again.")
    token_type: str
    expires_at: datetime | None = Field(description="Null: it does not end.")
    scope: str = Field(description="What it may do.")
    scope_asked: str = Field(description="What the customer was asked for.")
    scope_missing: str = Field(description="Asked for and not granted.")
    version: Version
    base_url: BaseUrl
    headers: dict[str, str] = Field(description="Ready to be sent. Prefer them to building your own.")
    degraded: Degraded


class TenantOut(Schema):
    slug: str
    name: str
    locale: str
    created_at: datetime


class TenantPage(Schema):
    model_config = shown(examples.TENANT_PAGE)

    items: list[TenantOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null ends the list.")


class ScopeOut(Schema):
    name: str
    description: str


class ProviderOut(Schema):
    id: str
    name: str
    capabilities: list[str]
    scopes: list[ScopeOut]
    available: bool = Field(description="Whether a client registration serves one of the caller's tenants.")


class ProviderList(Schema):
    model_config = shown(examples.PROVIDERS)

    items: list[ProviderOut]
