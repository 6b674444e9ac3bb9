"""The values that travel between broker and provider: frozen, keyword-only, and silent about secrets."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NoReturn

# What a refusal means for a connection, whoever's words it came in.
Meaning = Literal[
    "credential_refused",
    "client_rejected",
    "right_missing",
    "scope_missing",
    "account_unverified",
    "throttled",
    "unavailable",
    "content",
]
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_HIDDEN = "***"


class Secret:
    """A string that only `reveal()` shows: repr, str, format, pickle and JSON never do.

    Raises: TypeError for anything but a string, ValueError for an empty one.
    """

    __slots__ = ("__value",)
    # A hash would let a secret be a dictionary key, and be compared there.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a secret is a string")
        if not value:
            raise ValueError("a secret is not empty")
        self.__value = value

    def reveal(self) -> str:
        """The secret itself; hold it no longer than the one call that needs it."""
        return self.__value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode("utf-8", "surrogatepass"), other._encoded())

    def _encoded(self) -> bytes:
        return self.__value.encode("utf-8", "surrogatepass")

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return _HIDDEN

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not copied, pickled or serialised")


@dataclass(frozen=True, kw_only=True)
class ClientRegistration:
    """Our standing at one provider's environment, secrets in clear.

    Shape:  client_secrets in order of preference; the first one is sent. scopes are those chosen for this
            registration, besides the ones the provider always requires; empty means the provider's default.
            parameters replace values of the definition's authorization_extra_parameters.
    """

    provider_id: str
    environment: str
    client_id: str
    client_secrets: tuple[Secret, ...] = ()
    scopes: tuple[str, ...] = ()
    token_endpoint_auth_method: str | None = None
    parameters: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """Where to send the browser; the URL holds `state`, so it is not for logs."""

    url: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class TokenResponse:
    """What the token endpoint gave, as judged.

    Shape:  refresh_token None means none came: keep the old one. scope None means as requested.
            extras holds the other scalar fields of the response.
    Units:  expires_in in seconds, clamped to what can be true; None means that the token does not expire.
    """

    access_token: Secret
    token_type: str = "Bearer"
    refresh_token: Secret | None = None
    expires_in: int | None = None
    scope: tuple[str, ...] | None = None
    extras: Mapping[str, Any] = field(default_factory=lambda: _NOTHING, repr=False)
    id_token: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class EnteredCredential:
    """What a customer typed in, normalised and checked, by the names of the definition's entered fields."""

    fields: Mapping[str, Secret]


@dataclass(frozen=True, kw_only=True)
class OAuthCredential:
    """What a connection holds: enough to call, to renew and to revoke.

    Shape:  entered is what the access token is minted from, for a provider without browser and refresh token.
    """

    access_token: Secret
    token_type: str = "Bearer"
    refresh_token: Secret | None = None
    scope: tuple[str, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=lambda: _NOTHING, repr=False)
    entered: EnteredCredential | None = None


# What a connection can hold: tokens, or values that every request is signed or sent with.
StoredCredential = OAuthCredential | EnteredCredential


@dataclass(frozen=True, kw_only=True)
class RequestToSign:
    """A request that a caller is going to send, as far as a signature can cover it.

    Shape:  url as it will be sent. body_digest is the body's MD5 in lower-case hex, for a body that stays with
            the caller. headers are the caller's own, beside those that the signature brings.
    """

    method: str
    url: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    body_digest: str | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)


@dataclass(frozen=True, kw_only=True)
class SignedHeaders:
    """The headers of a request to the provider's API.

    Shape:  single_use: for that request only, and to be sent before `valid_until`; else good for any request
            until then. valid_until None means as long as the connection. transaction_id is the provider's name
            for the request, None where it has none.
    """

    headers: Mapping[str, str] = field(repr=False)
    transaction_id: str | None = None
    valid_until: dt.datetime | None = None
    single_use: bool = True


@dataclass(frozen=True, kw_only=True)
class ExternalAccount:
    """Whose account it is at the provider: issuer and subject are the identity, name is for people."""

    issuer: str
    subject: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class VerifiedCredential:
    """A credential that the provider has accepted, complete: keep this one, not the one that was typed in.

    Units:  expires_in in seconds, of the access token that was minted on the way; None where there is none, or
            where it does not end.
    """

    credential: StoredCredential
    account: ExternalAccount
    expires_in: int | None = None


@dataclass(frozen=True, kw_only=True)
class Company:
    """One of the companies that a token reaches."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class ApiReading:
    """What an answer of the provider's API means, as a caller reported it.

    Shape:  meaning "ok" for a success. error is the provider's own code, error_id its name for the incident,
            description redacted text. explanation is a sentence of the catalogue for the customer. rate_limit
            holds the provider's own rate-limit headers, names in lower case.
    Units:  retry_after in seconds.
    """

    meaning: Meaning | Literal["ok"]
    error: str | None = None
    description: str = ""
    error_id: str | None = None
    explanation: str = ""
    retry_after: float | None = None
    rate_limit: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request that is built and not sent. Its fields and headers carry secrets, so repr shows neither.

    Shape:  encoding says where `fields` go: a form or a JSON object in the body, or the URL's query.
    """

    method: str
    url: str
    endpoint: str
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    encoding: Literal["form", "json", "query"] = "form"
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """An answer as it came: header names in lower case, body at most the outbound door's cap."""

    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    body: bytes = field(default=b"", repr=False)
