"""What all providers that sign requests have in common: facts of the definition, and the guard on URLs."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from functools import cached_property

from providers.definition import ProviderDefinition, Signing
from providers.described import DescribedProvider
from providers.errors import DefinitionError, ProviderError
from providers.interface import HANDS_OUT_HEADERS, HANDS_OUT_TOKENS, PROBES, SIGNS_REQUESTS, VERIFIES
from providers.messages import (
    ClientRegistration,
    EnteredCredential,
    ExternalAccount,
    RequestToSign,
    SignedHeaders,
    StoredCredential,
    VerifiedCredential,
)
from providers.outbound import Outbound
from providers.protocol import known_refusals


class SigningProvider(DescribedProvider, ABC):
    """Facts of a definition with `signing`; a provider's own module adds `sign` and `verify`."""

    def __init__(self, definition: ProviderDefinition, outbound: Outbound, *, allow_loopback: bool = False) -> None:
        if definition.signing is None:
            raise DefinitionError(file=definition.id, key="signing", expected="a table: it signs requests")
        super().__init__(definition, outbound, allow_loopback=allow_loopback)
        self.signing: Signing = definition.signing
        self.valid_for = dt.timedelta(seconds=self.signing.valid_seconds)
        self._methods = frozenset(self.signing.methods)

    @cached_property
    def capabilities(self) -> tuple[str, ...]:
        """Signs requests, and verifies what was typed in, at any time."""
        return (SIGNS_REQUESTS, VERIFIES, PROBES, HANDS_OUT_HEADERS)

    def api_headers(self, registration: ClientRegistration, credential: StoredCredential) -> dict[str, str]:
        """Raises: UnsupportedOperation, always: headers exist for one request only, see `sign`."""
        raise self.unsupported("api_headers")

    @abstractmethod
    def sign(
        self,
        registration: ClientRegistration,
        credential: EnteredCredential,
        request: RequestToSign,
        *,
        now: dt.datetime,
        nonce: str,
    ) -> SignedHeaders:
        """The headers for this one request; see `interface.SignsRequests`."""

    @abstractmethod
    def verify(
        self, registration: ClientRegistration, credential: EnteredCredential, *, now: dt.datetime, nonce: str
    ) -> VerifiedCredential:
        """The credential to keep, and whose account it opens; see `interface.Verifies`."""

    def covers_body(self, content_type: str) -> bool:
        """Whether a body of this type is part of what is signed: nowhere, unless a provider says otherwise."""
        return False

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
        """The headers for this one request, signed."""
        return self.sign(registration, self._typed_in(credential), request, now=now, nonce=nonce)

    def probe(
        self, registration: ClientRegistration, credential: StoredCredential, *, now: dt.datetime, nonce: str
    ) -> ExternalAccount | None:
        """The account: what is stored is verified as on its first day."""
        return self.verify(registration, self._typed_in(credential), now=now, nonce=nonce).account

    def _typed_in(self, credential: StoredCredential) -> EnteredCredential:
        if isinstance(credential, EnteredCredential):
            return credential
        raise self.unsupported(HANDS_OUT_TOKENS)

    def explained(self, error: ProviderError, fields: tuple[str, ...] = ()) -> ProviderError:
        """The error with what the catalogue says to it; fields win over the catalogue's."""
        codes = frozenset({error.error} if error.error else ())
        known = known_refusals.match(self.definition, status=0, codes=codes, text=error.description)
        if known is None:
            return error.explained(fields, "")
        return error.explained(fields or known.fields, known.text)

    def check_method(self, request: RequestToSign) -> None:
        """Nothing when the method is one of the definition's. Raises: RequestRefused."""
        if request.method not in self._methods:
            self.refuse("method", "method", expected=f"one of {', '.join(self.signing.methods)}")

    def entered(self, credential: EnteredCredential, name: str) -> str:
        """One value of the credential in clear. Raises: RequestRefused when it has none."""
        secret = credential.fields.get(name)
        if secret is None:
            self.refuse("missing", name, expected="a verified credential")
        return secret.reveal()

    def client_secret(self, registration: ClientRegistration) -> str:
        """The registration's first secret in clear. Raises: RequestRefused when it has none."""
        if not registration.client_secrets:
            self.refuse("missing", "client_secret", expected="the provider's secret for this registration")
        return registration.client_secrets[0].reveal()


def utc(now: dt.datetime) -> dt.datetime:
    """The instant in UTC.

    Raises: ValueError for a time without zone, which on another machine would be another instant.
    """
    if now.tzinfo is None:
        raise ValueError("an aware time")
    return now if now.tzinfo is dt.UTC else now.astimezone(dt.UTC)
