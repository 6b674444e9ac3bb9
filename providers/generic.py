"""An OAuth 2.0 provider built from a definition and nothing else: each method is build, send once, judge."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from providers.definition import Environment, ProviderDefinition
from providers.errors import DefinitionError, UnsupportedOperation
from providers.interface import AUTHORIZES, IDENTIFIES, RENEWS, REVOKES
from providers.messages import (
    AuthorizationRequest,
    ClientRegistration,
    ExternalAccount,
    HttpRequest,
    HttpResponse,
    OAuthCredential,
    Secret,
    TokenResponse,
)
from providers.outbound import Outbound
from providers.protocol import authorization_endpoint, discovery, external_account, revocation, token_endpoint


class OAuthProvider:
    """Authorizes, Renews, Revokes and Identifies as far as its definition goes; see `interface`."""

    def __init__(self, definition: ProviderDefinition, outbound: Outbound) -> None:
        self.definition = definition
        self._outbound = outbound

    @property
    def id(self) -> str:
        """The provider id."""
        return self.definition.id

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What it can do; one environment without a revocation endpoint is enough to lack that one."""
        definition, environments = self.definition, self.definition.environments.values()
        has = {
            AUTHORIZES: "authorization_code" in definition.grant_types_supported,
            RENEWS: "refresh_token" in definition.grant_types_supported,
            REVOKES: all(each.revocation_endpoint for each in environments),
            IDENTIFIES: definition.external_account is not None,
        }
        return tuple(capability for capability, given in has.items() if given)

    def environment(self, registration: ClientRegistration) -> Environment:
        """The environment a registration lives in.

        Raises: DefinitionError when the catalogue does not have it.
        """
        try:
            return self.definition.environments[registration.environment]
        except KeyError:
            known = ", ".join(sorted(self.definition.environments))
            raise DefinitionError(file=self.id, key="environments", expected=f"one of {known}") from None

    def default_scopes(self, registration: ClientRegistration) -> tuple[str, ...]:
        """The scopes that are asked for: required first, then the registration's or else the default ones."""
        chosen = registration.scopes or self.definition.default_scopes
        return tuple(dict.fromkeys((*self.definition.required_scopes, *chosen)))

    def base_url(self, registration: ClientRegistration) -> str:
        """Where the provider's API lives."""
        return self.environment(registration).api_base_url

    def issuer(self, registration: ClientRegistration) -> str:
        """The authorization server's issuer identifier."""
        return self.environment(registration).issuer

    def authorization_origin(self, registration: ClientRegistration) -> str:
        """scheme://host[:port] of the authorization endpoint."""
        parts = urlsplit(self.environment(registration).authorization_endpoint)
        return f"{parts.scheme}://{parts.netloc}"

    def api_headers(self, registration: ClientRegistration, credential: OAuthCredential) -> dict[str, str]:
        """The headers of a call to the provider's API, the access token in clear (RFC 6750 section 2.1)."""
        return {"Authorization": f"{credential.token_type} {credential.access_token.reveal()}"}

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
            raise self._unsupported(RENEWS)
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
            raise self._unsupported(REVOKES)
        request = revocation.build_revocation_request(self.definition, registration, url, token=token, hint=hint)
        revocation.process_response(self.definition, self._send(request), hint=hint)

    def identify(self, registration: ClientRegistration, credential: OAuthCredential) -> ExternalAccount | None:
        """The external account, or None when the definition names no way to ask."""
        lookup, environment = self.definition.external_account, self.environment(registration)
        if lookup is None:
            return None
        headers = self.api_headers(registration, credential)
        request = external_account.build_account_request(lookup, environment, headers)
        return external_account.process_response(self.definition, lookup, environment, self._send(request))

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

    def _send(self, request: HttpRequest) -> HttpResponse:
        return self._outbound.send(request, provider_id=self.id)

    def _require(self, operation: str) -> None:
        if operation not in self.capabilities:
            raise self._unsupported(operation)

    def _unsupported(self, operation: str) -> UnsupportedOperation:
        return UnsupportedOperation(provider_id=self.id, operation=operation, supported=self.capabilities)
