"""What the broker tells, as values. Nothing secret is in any repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self, TypeVar
from uuid import UUID

Json = Mapping[str, Any]


class Place(NamedTuple):
    """Which connection is meant: its id, or tenant and provider, with a label where there are several."""

    tenant: str = ""
    provider: str = ""
    label: str | None = None
    connection: str | None = None
    scope: str | None = None

    def __str__(self) -> str:
        return self.connection or "/".join(filter(None, (self.tenant, self.provider, self.label)))


def place_of(
    tenant: str, provider: str, label: str | None, connection: str | UUID | None, scope: str | None = None
) -> Place:
    """Return the place. Raises ValueError for neither, or both."""
    if connection is not None and not (tenant or provider or label):
        return Place(connection=str(connection), scope=scope)
    if connection is None and tenant and provider:
        return Place(tenant, provider, label, None, scope)
    raise ValueError("name a tenant and a provider, or a connection")


def instant(text: Any) -> datetime | None:
    """Return the instant of an ISO 8601 text."""
    return datetime.fromisoformat(text) if isinstance(text, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token. `headers` are all that the provider's API wants: prefer them to building your own."""

    access_token: str = field(repr=False)
    token_type: str
    expires_at: datetime | None
    scope: str
    version: int
    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    degraded: str | None
    connection_id: str | None

    @classmethod
    def of(cls, told: Json) -> Self:
        return cls(
            access_token=told["access_token"],
            token_type=told["token_type"],
            expires_at=instant(told["expires_at"]),
            scope=told["scope"],
            version=told["version"],
            base_url=told["base_url"],
            headers=told["headers"],
            degraded=told.get("degraded"),
            connection_id=told.get("connection_id"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """The headers of one request to the provider's API; with single_use for that one only, sent once."""

    headers: Mapping[str, str] = field(repr=False)
    single_use: bool
    valid_until: datetime | None
    transaction_id: str | None
    version: int
    base_url: str
    degraded: str | None
    connection_id: str | None

    @classmethod
    def of(cls, told: Json) -> Self:
        return cls(
            headers=told["headers"],
            single_use=told["single_use"],
            valid_until=instant(told["valid_until"]),
            transaction_id=told["transaction_id"],
            version=told["version"],
            base_url=told["base_url"],
            degraded=told.get("degraded"),
            connection_id=told.get("connection_id"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a report; `action` is what to do next. retry_after in seconds."""

    verdict: str
    action: str
    state: str
    reason: str
    version: int | None
    connect_url: str | None = field(repr=False)
    explanation: str
    error_id: str | None
    retry_after: float | None
    rate_limit: Mapping[str, str]

    @classmethod
    def of(cls, told: Json) -> Self:
        members: dict[str, Any] = {name: told.get(name) for name in cls.__dataclass_fields__}
        return cls(**members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How one connection stands. `more` holds what only `connection()` tells, and what is newer than this package."""

    id: str
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
    more: Json = field(repr=False)

    @classmethod
    def of(cls, told: Json) -> Self:
        known = {
            name: told.get(name) or "" for name in cls.__dataclass_fields__ if name not in ("connected_at", "more")
        }
        more = {name: value for name, value in told.items() if name not in cls.__dataclass_fields__}
        return cls(**known, connected_at=instant(told.get("connected_at")), more=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectLink:
    """A link for one customer. The url is a secret: it is opened often and used once."""

    id: str
    url: str = field(repr=False)
    expires_at: datetime | None

    @classmethod
    def of(cls, told: Json) -> Self:
        return cls(id=told["id"], url=told["url"], expires_at=instant(told["expires_at"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that changed. The list goes on after `cursor`; a webhook has none. The same id may come twice."""

    id: str
    cursor: str | None
    type: str
    timestamp: datetime | None
    data: Json

    @classmethod
    def of(cls, told: Json) -> Self:
        return cls(
            id=str(told["id"]),
            cursor=told.get("cursor"),
            type=told["type"],
            timestamp=instant(told.get("timestamp")),
            data=told.get("data") or {},
        )


G = TypeVar("G", Token, Headers)


class Page(NamedTuple):
    """One page of a list, and the cursor of the next."""

    items: list[Json]
    next_cursor: str | None
