"""What a provider can be asked to do: one small Protocol a capability.

A service asks `provider.capabilities` (or `isinstance`) and never the provider's name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from providers.definition import Traits
from providers.messages import (
    ApiReading,
    AuthorizationRequest,
    ClientRegistration,
    Company,
    EnteredCredential,
    ExternalAccount,
    HttpResponse,
    OAuthCredential,
    RequestToSign,
    SignedHeaders,
    StoredCredential,
    TokenResponse,
    VerifiedCredential,
)

AUTHORIZES = "authorizes"
RENEWS = "renews"
REVOKES = "revokes"
IDENTIFIES = "identifies"
SIGNS_REQUESTS = "signs_requests"
VERIFIES = "verifies"
PROBES = "probes"
MINTS_SCOPES = "mints_scopes"
CHOOSES_COMPANY = "chooses_company"
HANDS_OUT_TOKENS = "hands_out_tokens"
HANDS_OUT_HEADERS = "hands_out_headers"


@runtime_checkable
class Provider(Protocol):
    """What every provider answers without sending anything."""

    @property
    def id(self) -> str: ...

    @property
    def capabilities(self) -> tuple[str, ...]: ...

    def default_scopes(self, registration: ClientRegistration) -> tuple[str, ...]:
        """The scopes that are asked for: required first, then the registration's or else the default."""
        ...

    def base_url(self, registration: ClientRegistration) -> str:
        """Where the provider's API lives for this registration's environment."""
        ...

    def issuer(self, registration: ClientRegistration) -> str:
        """The authorization server's issuer identifier."""
        ...

    def authorization_origin(self, registration: ClientRegistration) -> str:
        """scheme://host[:port] of the authorization endpoint, for a page's `form-action`."""
        ...

    def api_headers(self, registration: ClientRegistration, credential: StoredCredential) -> dict[str, str]:
        """The headers that every call to the provider's API carries; they hold secrets in clear.

        Raises: UnsupportedOperation where headers exist for one request only.
        """
        ...

    def request_headers(
        self,
        registration: ClientRegistration,
        credential: StoredCredential,
        request: RequestToSign,
        *,
        now: dt.datetime,
        nonce: str,
        expires_at: dt.datetime | None = None,
    ) -> SignedHeaders:
        """The headers for one request: signed for it where the provider signs, else those of `api_headers`.

        Shape:  expires_at is the access token's, where there is one. now is aware, nonce fresh for every call.
        Raises: RequestRefused for a URL outside the provider's declared hosts and paths, and for what the scheme
                cannot carry.
        """
        ...

    def traits(self, registration: ClientRegistration) -> Traits:
        """The definition's traits, as far as the registration does not say otherwise."""
        ...

    def check_registration(self, registration: ClientRegistration) -> None:
        """Nothing when the registration can be used.

        Raises: RequestRefused naming the field: `client_id`, `client_secret`, `scopes` or `parameters.<name>`.
        """
        ...

    def check_scopes(self, scopes: Sequence[str]) -> None:
        """Nothing when the provider has all of these scopes. Raises: RequestRefused with field `scope`."""
        ...

    def read_answer(self, answer: HttpResponse) -> ApiReading:
        """What an answer of the provider's API means; any bytes are an answer, and none raises."""
        ...


@runtime_checkable
class Authorizes(Protocol):
    """The authorization code grant with PKCE."""

    def build_authorization_request(
        self,
        registration: ClientRegistration,
        *,
        redirect_uri: str,
        state: str,
        code_verifier: str,
        locale: str | None = None,
    ) -> AuthorizationRequest:
        """The URL that starts the grant in a browser.

        Raises: DefinitionError for a registration parameter the definition does not know.
        Source: RFC 6749 section 4.1.1, RFC 7636 section 4.3.
        """
        ...

    def process_authorization_response(
        self, registration: ClientRegistration, parameters: Sequence[tuple[str, str]]
    ) -> str:
        """The authorization code; the caller has matched `state` already.

        Shape:  parameters as they came, repeated names included.
        Raises: AuthorizationRefused, AuthorizationResponseInvalid.
        Source: RFC 6749 section 4.1.2, RFC 9207 section 2.4.
        """
        ...

    def exchange_code(
        self, registration: ClientRegistration, *, code: str, code_verifier: str, redirect_uri: str
    ) -> TokenResponse:
        """The tokens for a code.

        Raises: GrantRejected, ClientRejected, ProviderUnavailable, ResponseMalformed.
        Effects: exactly one POST to the token endpoint.
        Source: RFC 6749 section 4.1.3.
        """
        ...


@runtime_checkable
class Renews(Protocol):
    """A fresh credential without the customer."""

    def renew(self, registration: ClientRegistration, credential: OAuthCredential) -> TokenResponse:
        """The tokens for a refresh token.

        Raises: GrantRejected, ClientRejected, ProviderUnavailable, ResponseMalformed, UnsupportedOperation.
        Effects: exactly one POST to the token endpoint; nothing is ever sent twice.
        Source: RFC 6749 section 6.
        """
        ...


@runtime_checkable
class Revokes(Protocol):
    """Ends a grant at the provider."""

    def revoke(self, registration: ClientRegistration, credential: OAuthCredential) -> None:
        """Nothing; afterwards the provider knows the tokens no more. Revoking twice is a success.

        Raises: ClientRejected, ProviderUnavailable, ResponseMalformed, UnsupportedOperation.
        Effects: one POST a token, the refresh token first.
        Source: RFC 7009 section 2.
        """
        ...


@runtime_checkable
class Identifies(Protocol):
    """Whose account a credential opens."""

    def identify(self, registration: ClientRegistration, credential: OAuthCredential) -> ExternalAccount | None:
        """The external account, or None when the definition names no way to ask.

        Raises: ClientRejected when the API refuses the token, RightMissing, AccountUnverified, ProviderUnavailable,
                ResponseMalformed.
        Effects: at most one request to the provider's API.
        """
        ...


@runtime_checkable
class Mints(Protocol):
    """A token for a set of scopes, from what the customer entered; nothing is used up by it."""

    def mint(
        self, registration: ClientRegistration, entered: EnteredCredential, scopes: tuple[str, ...]
    ) -> TokenResponse:
        """The token.

        Raises: RequestRefused for a scope that the provider lacks, GrantRejected when what was entered is refused,
                RightMissing, AccountUnverified, ClientRejected, ProviderUnavailable, ResponseMalformed.
        Effects: exactly one request to the token endpoint.
        """
        ...


@runtime_checkable
class ChoosesCompany(Protocol):
    """One token that reaches several companies, of which a connection has one."""

    def companies(self, registration: ClientRegistration, credential: OAuthCredential) -> tuple[Company, ...]:
        """The companies that the token reaches.

        Raises: GrantRejected for a 401, RightMissing when there is none, ProviderUnavailable, ResponseMalformed.
        Effects: one GET to the provider's API.
        """
        ...

    def choose(
        self, registration: ClientRegistration, credential: OAuthCredential, company: Company
    ) -> tuple[OAuthCredential, ExternalAccount]:
        """The credential with the company in its extras, and the company as an account. Sends nothing."""
        ...


@runtime_checkable
class Probes(Protocol):
    """Whether a stored credential is still accepted, without using anything up."""

    def probe(
        self,
        registration: ClientRegistration,
        credential: StoredCredential,
        *,
        now: dt.datetime,
        nonce: str,
    ) -> ExternalAccount | None:
        """The account when the answer tells it, else None; returning means accepted.

        Raises: GrantRejected when the credential is refused, RightMissing, AccountUnverified, ClientRejected,
                ProviderUnavailable, ResponseMalformed, UnsupportedOperation.
        Effects: at most two requests, never to the token endpoint.
        """
        ...


@runtime_checkable
class SignsRequests(Protocol):
    """Headers that prove who sends one request."""

    def covers_body(self, content_type: str) -> bool:
        """Whether a body of this type is part of what is signed."""
        ...

    def sign(
        self,
        registration: ClientRegistration,
        credential: EnteredCredential,
        request: RequestToSign,
        *,
        now: dt.datetime,
        nonce: str,
    ) -> SignedHeaders:
        """The headers for this one request; the same arguments give the same bytes.

        Shape:  now is aware and from a checked clock. nonce is fresh for every call (see `protocol.nonces`).
        Raises: RequestRefused for a URL outside the provider's declared hosts and paths, and for what the
                scheme cannot carry.
        """
        ...


@runtime_checkable
class Verifies(Protocol):
    """Whether what a customer typed in works, before any of it is kept."""

    def verify(
        self,
        registration: ClientRegistration,
        credential: EnteredCredential,
        *,
        now: dt.datetime,
        nonce: str,
    ) -> VerifiedCredential:
        """The credential to keep, and whose account it opens.

        Raises: GrantRejected when the values are refused, RightMissing, AccountUnverified, ClientRejected,
                ProviderUnavailable, ResponseMalformed, RequestRefused. `fields` and `explanation` of an error say
                which of the values is likely wrong, as far as the provider says so.
        Effects: one token request where a token is minted, and one or two requests to the provider's API.
        """
        ...
