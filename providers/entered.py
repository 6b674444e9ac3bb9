"""A provider whose credential a customer types in, built from a definition and nothing else.

Either an access token is minted from what was entered, or what was entered goes along with every call.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property

from msgspec.structs import replace as replace_struct

from providers.definition import Traits
from providers.described import DescribedProvider
from providers.errors import AccountUnverified
from providers.interface import (
    HANDS_OUT_HEADERS,
    HANDS_OUT_TOKENS,
    MINTS_SCOPES,
    PROBES,
    RENEWS,
    VERIFIES,
)
from providers.messages import (
    ClientRegistration,
    EnteredCredential,
    ExternalAccount,
    OAuthCredential,
    StoredCredential,
    TokenResponse,
    VerifiedCredential,
)
from providers.protocol import token_endpoint
from providers.protocol.minting_request import build_minting_request


class EnteredProvider(DescribedProvider):
    """Verifies, and Mints, Renews and Probes as far as its definition goes; see `interface`."""

    @cached_property
    def capabilities(self) -> tuple[str, ...]:
        """What it can do."""
        minting, account = self.definition.minting, self.definition.external_account
        has = {
            RENEWS: minting is not None,
            VERIFIES: True,
            PROBES: bool(account and account.endpoint),
            MINTS_SCOPES: minting is not None and minting.scopes_on_request,
            HANDS_OUT_TOKENS: minting is not None,
            HANDS_OUT_HEADERS: True,
        }
        return tuple(capability for capability, given in has.items() if given)

    def traits(self, registration: ClientRegistration) -> Traits:
        """As of every provider; and minting uses nothing up, whatever is said of refresh tokens."""
        return replace_struct(super().traits(registration), refresh_token_rotation="none", grace_seconds=0)

    def mint(
        self, registration: ClientRegistration, entered: EnteredCredential, scopes: tuple[str, ...]
    ) -> TokenResponse:
        """The token for a set of scopes; see `interface.Mints`."""
        self.check_scopes(scopes)
        return self._mint(registration, entered, scopes, dt.datetime.now(dt.UTC))

    def renew(self, registration: ClientRegistration, credential: OAuthCredential) -> TokenResponse:
        """The next token, minted from what was entered: nothing is used up."""
        if credential.entered is None:
            raise self.unsupported(RENEWS)
        now = dt.datetime.now(dt.UTC)
        return self._mint(registration, credential.entered, self.default_scopes(registration), now)

    def verify(
        self, registration: ClientRegistration, credential: EnteredCredential, *, now: dt.datetime, nonce: str
    ) -> VerifiedCredential:
        """The credential to keep, and whose account it opens; see `interface.Verifies`."""
        if self.definition.minting is None:
            account = self._account(registration, credential, credential)
            return VerifiedCredential(credential=credential, account=account)
        scopes = self.default_scopes(registration)
        tokens = self._mint(registration, credential, scopes, now)
        minted = OAuthCredential(
            access_token=tokens.access_token,
            token_type=tokens.token_type,
            scope=scopes if tokens.scope is None else tokens.scope,
            extras=tokens.extras,
            entered=credential,
        )
        try:
            account = self._account(registration, minted, credential)
        except AccountUnverified as error:
            if isinstance(error.account, ExternalAccount):
                error.verified = VerifiedCredential(
                    credential=minted, account=error.account, expires_in=tokens.expires_in
                )
            raise
        return VerifiedCredential(credential=minted, account=account, expires_in=tokens.expires_in)

    def probe(
        self, registration: ClientRegistration, credential: StoredCredential, *, now: dt.datetime, nonce: str
    ) -> ExternalAccount | None:
        """The account: one call with what is held; see `interface.Probes`."""
        self._require(PROBES)
        entered = credential.entered if isinstance(credential, OAuthCredential) else credential
        return self._account(registration, credential, entered or EnteredCredential(fields={}))

    def _mint(
        self,
        registration: ClientRegistration,
        entered: EnteredCredential,
        scopes: tuple[str, ...],
        now: dt.datetime,
    ) -> TokenResponse:
        if self.definition.minting is None:
            raise self.unsupported(HANDS_OUT_TOKENS)
        request = build_minting_request(
            self.definition,
            self.definition.minting,
            registration,
            self.environment(registration).token_endpoint,
            parameters=self.settings(registration).parameters,
            entered=entered,
            scopes=scopes,
            now=now,
        )
        return token_endpoint.process_response(self.definition, self._send(request), now)

    def _account(
        self, registration: ClientRegistration, credential: StoredCredential, entered: EnteredCredential
    ) -> ExternalAccount:
        values = {name: secret.reveal() for name, secret in entered.fields.items()}
        return self.external_account(registration, credential, {**values, "client_id": registration.client_id})
