"""An OAuth 2.0 provider built from a definition and nothing else: each method is build, send once, judge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from urllib.parse import urlsplit

from providers.definition import CompanyChoice
from providers.described import DescribedProvider
from providers.errors import ClientRejected, GrantRejected, RightMissing
from providers.interface import (
    AUTHORIZES,
    CHOOSES_COMPANY,
    HANDS_OUT_HEADERS,
    HANDS_OUT_TOKENS,
    IDENTIFIES,
    PROBES,
    RENEWS,
    REVOKES,
)
from providers.messages import (
    AuthorizationRequest,
    ClientRegistration,
    Company,
    ExternalAccount,
    OAuthCredential,
    Secret,
    StoredCredential,
    TokenResponse,
)
from providers.protocol import authorization_endpoint, companies, discovery, revocation, token_endpoint


class OAuthProvider(DescribedProvider):
    """Authorizes, and what else of `interface` its definition gives: Renews, Revokes, Identifies, ..."""

    @cached_property
    def capabilities(self) -> tuple[str, ...]:
        """What it can do; one environment without a revocation endpoint is enough to lack that one."""
        definition, environments = self.definition, self.definition.environments.values()
        account = definition.external_account
        has = {
            AUTHORIZES: "authorization_code" in definition.grant_types_supported,
            RENEWS: "refresh_token" in definition.grant_types_supported,
            REVOKES: all(each.revocation_endpoint for each in environments),
            IDENTIFIES: account is not None,
            PROBES: bool(account and account.endpoint) or definition.company_choice is not None,
            CHOOSES_COMPANY: definition.company_choice is not None,
            HANDS_OUT_TOKENS: True,
            HANDS_OUT_HEADERS: True,
        }
        return tuple(capability for capability, given in has.items() if given)

    def authorization_origin(self, registration: ClientRegistration) -> str:
        """scheme://host[:port] of the authorization endpoint."""
        parts = urlsplit(self.environment(registration).authorization_endpoint)
        return f"{parts.scheme}://{parts.netloc}"

    def build_authorization_request(
        self,
        registration: ClientRegistration,
        *,
        redirect_uri: str,
        state: str,
        code_verifier: str,
        locale: str | None = None,
    ) -> AuthorizationRequest:
        """The URL that starts the grant in a browser."""
        return authorization_endpoint.build_authorization_request(
            self.definition,
            registration,
            self.environment(registration),
            scopes=self.default_scopes(registration),
            redirect_uri=redirect_uri,
            state=state,
            code_verifier=code_verifier,
            locale=locale,
        )

    def process_authorization_response(
        self, registration: ClientRegistration, parameters: Sequence[tuple[str, str]]
    ) -> str:
        """The authorization code; the caller has matched `state` already."""
        environment = self.environment(registration)
        return authorization_endpoint.process_authorization_response(self.definition, environment, parameters)

    def exchange_code(
        self, registration: ClientRegistration, *, code: str, code_verifier: str, redirect_uri: str
    ) -> TokenResponse:
        """The tokens for a code: exactly one POST."""
        request = token_endpoint.build_code_request(
            self.definition,
            registration,
            self.environment(registration).token_endpoint,
            code=code,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
        )
        return token_endpoint.process_response(self.definition, self._send(request))

    def renew(self, registration: ClientRegistration, credential: OAuthCredential) -> TokenResponse:
        """The tokens for the refresh token: exactly one POST."""
        self._require(RENEWS)
        if credential.refresh_token is None:
            raise self.unsupported(RENEWS)
        request = token_endpoint.build_refresh_request(
            self.definition,
            registration,
            self.environment(registration).token_endpoint,
            refresh_token=credential.refresh_token,
        )
        return token_endpoint.process_response(self.definition, self._send(request))

    def revoke(self, registration: ClientRegistration, credential: OAuthCredential) -> None:
        """Nothing; afterwards the provider knows the tokens no more. The refresh token goes first."""
        if credential.refresh_token is not None:
            self._revoke(registration, credential.refresh_token, "refresh_token")
        self._revoke(registration, credential.access_token, "access_token")

    def _revoke(self, registration: ClientRegistration, token: Secret, hint: str) -> None:
        url = self.environment(registration).revocation_endpoint
        if url is None:
            raise self.unsupported(REVOKES)
        request = revocation.build_revocation_request(self.definition, registration, url, token=token, hint=hint)
        revocation.process_response(self.definition, self._send(request), hint=hint)

    def identify(self, registration: ClientRegistration, credential: OAuthCredential) -> ExternalAccount | None:
        """The external account, or None when the definition names no way to ask."""
        if self.definition.external_account is None:
            return None
        try:
            return self._account(registration, credential)
        except GrantRejected as refused:
            # An API's body cannot say that a grant is dead; only the token endpoint can.
            error = ClientRejected(
                provider_id=self.id,
                endpoint=refused.endpoint,
                status=refused.status,
                error=refused.error,
                description=refused.description,
                error_id=refused.error_id,
            )
            raise error.explained(refused.fields, refused.explanation) from None

    def probe(
        self, registration: ClientRegistration, credential: StoredCredential, *, now: dt.datetime, nonce: str
    ) -> ExternalAccount | None:
        """The account when the answer tells it: one call with the access token; see `interface.Probes`."""
        self._require(PROBES)
        held, lookup = self._tokens(credential), self.definition.external_account
        if lookup is not None and lookup.endpoint:
            return self._account(registration, held)
        return self._chosen(registration, held)

    def companies(self, registration: ClientRegistration, credential: OAuthCredential) -> tuple[Company, ...]:
        """The companies that the token reaches: one GET."""
        choice = self._choice()
        headers = self.api_headers(registration, credential)
        request = companies.build_companies_request(choice, headers, base_url=self.base_url(registration))
        return companies.process_response(self.definition, choice, self._send(request))

    def choose(
        self, registration: ClientRegistration, credential: OAuthCredential, company: Company
    ) -> tuple[OAuthCredential, ExternalAccount]:
        """The credential with the company in its extras, and the company as an account."""
        extras = {**credential.extras, self._choice().extra: company.id}
        account = ExternalAccount(issuer=self.issuer(registration), subject=company.id, name=company.name)
        return replace(credential, extras=extras), account

    def _choice(self) -> CompanyChoice:
        if self.definition.company_choice is None:
            raise self.unsupported(CHOOSES_COMPANY)
        return self.definition.company_choice

    def _account(self, registration: ClientRegistration, credential: OAuthCredential) -> ExternalAccount:
        return self.external_account(registration, credential, {})

    def _chosen(self, registration: ClientRegistration, credential: OAuthCredential) -> ExternalAccount | None:
        chosen = str(credential.extras.get(self._choice().extra, ""))
        reached = {company.id: company for company in self.companies(registration, credential)}
        if not chosen:
            return None
        if chosen not in reached:
            raise RightMissing(provider_id=self.id, endpoint=companies.ENDPOINT, error="company_not_found")
        return self.choose(registration, credential, reached[chosen])[1]

    def _tokens(self, credential: StoredCredential) -> OAuthCredential:
        if isinstance(credential, OAuthCredential):
            return credential
        raise self.unsupported(HANDS_OUT_HEADERS)

    def metadata_differences(self, environment_name: str) -> tuple[str, ...] | None:
        """What the server's own metadata says otherwise than the catalogue; None when it publishes none.

        Raises: ProviderUnavailable, ResponseMalformed. Effects: one or two GETs.
        """
        environment = self.definition.environments[environment_name]
        for request in discovery.build_metadata_requests(environment):
            document = discovery.process_response(self.definition, self._send(request))
            if document is not None:
                return discovery.differences(self.definition, environment, document)
        return None
