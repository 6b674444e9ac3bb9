"""What every provider has in common: the facts of its definition, read with a registration beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn
from urllib.parse import urlsplit

from providers.definition import Environment, ProviderDefinition, Traits
from providers.errors import AccountUnverified, DefinitionError, RequestRefused, UnsupportedOperation
from providers.interface import AUTHORIZES
from providers.messages import (
    ApiReading,
    ClientRegistration,
    ExternalAccount,
    HttpRequest,
    HttpResponse,
    OAuthCredential,
    RequestToSign,
    SignedHeaders,
    StoredCredential,
)
from providers.outbound import Outbound
from providers.protocol import api_answer, api_call, external_account, registration_parameters
from providers.protocol.signable_url import SignableUrls, check_base_url

_SETTINGS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """What a registration says, checked once: nothing in it is secret.

    Shape:  base_path is the path of every base URL, empty or beginning with "/".
    """

    base_url: str
    base_path: str
    urls: SignableUrls
    parameters: Mapping[str, str]
    traits: Traits


class DescribedProvider:
    """A definition and the door to the internet; see `interface.Provider` for what the methods promise."""

    def __init__(self, definition: ProviderDefinition, outbound: Outbound, *, allow_loopback: bool = False) -> None:
        self.definition = definition
        self._outbound = outbound
        self._allow_loopback = allow_loopback
        self._settings: dict[tuple[object, ...], Settings] = {}

    @property
    def id(self) -> str:
        """The provider id."""
        return self.definition.id

    @cached_property
    def capabilities(self) -> tuple[str, ...]:
        """None yet: each kind of provider says its own."""
        return ()

    def environment(self, registration: ClientRegistration) -> Environment:
        """The environment a registration lives in.

        Raises: DefinitionError when the catalogue does not have it.
        """
        try:
            return self.definition.environments[registration.environment]
        except KeyError:
            known = ", ".join(sorted(self.definition.environments))
            raise DefinitionError(file=self.id, key="environments", expected=f"one of {known}") from None

    def settings(self, registration: ClientRegistration) -> Settings:
        """The registration's parameters, and what follows from them.

        Raises: RequestRefused for a parameter that the definition does not allow.
        """
        # Read for every signature, changed hardly ever; a changed registration has another key.
        key = (registration.environment, *registration.parameters.items())
        found = self._settings.get(key)
        if found is None:
            if len(self._settings) >= _SETTINGS_KEPT:
                self._settings.clear()
            found = self._settings[key] = self._read_settings(registration)
        return found

    def _read_settings(self, registration: ClientRegistration) -> Settings:
        parameters = registration_parameters.read_parameters(self.definition, registration.parameters)
        bases = self._base_urls(self.environment(registration), parameters)
        base_url = bases[0].rstrip("/")
        return Settings(
            base_url=base_url,
            base_path=urlsplit(base_url).path,
            urls=SignableUrls(bases, self.definition.api_paths, provider_id=self.id),
            parameters=parameters,
            traits=registration_parameters.traits_with(self.definition, parameters),
        )

    def _base_urls(self, environment: Environment, parameters: Mapping[str, str]) -> tuple[str, ...]:
        name = self.definition.base_url_parameter
        if own := parameters.get(name, ""):
            field = f"parameters.{name}"
            return (check_base_url(own, field=field, allow_loopback=self._allow_loopback, provider_id=self.id),)
        path = urlsplit(environment.api_base_url).path
        return (environment.api_base_url, *(f"https://{host}{path}" for host in environment.api_hosts))

    def default_scopes(self, registration: ClientRegistration) -> tuple[str, ...]:
        """The scopes that are asked for: required first, then the registration's or else the default ones."""
        chosen = registration.scopes or self.definition.default_scopes
        return tuple(dict.fromkeys((*self.definition.required_scopes, *chosen)))

    def base_url(self, registration: ClientRegistration) -> str:
        """Where the provider's API lives for this registration, its own host included."""
        return self.settings(registration).base_url

    def issuer(self, registration: ClientRegistration) -> str:
        """What external accounts are named under: the API, where there is no authorization server."""
        return self.environment(registration).issuer or self.base_url(registration)

    def authorization_origin(self, registration: ClientRegistration) -> str:
        """Raises: UnsupportedOperation, unless a browser is sent somewhere."""
        raise self.unsupported(AUTHORIZES)

    def traits(self, registration: ClientRegistration) -> Traits:
        """The definition's traits, as far as the registration does not say otherwise."""
        return self.settings(registration).traits

    def check_registration(self, registration: ClientRegistration) -> None:
        """Nothing when the registration can be used. Raises: RequestRefused naming the field."""
        registration_parameters.check_registration(self.definition, registration)
        self.settings(registration)

    def check_scopes(self, scopes: Sequence[str]) -> None:
        """Nothing when the provider has all of these scopes. Raises: RequestRefused with field `scope`."""
        registration_parameters.check_scopes(self.definition, scopes, field="scope")

    def api_headers(self, registration: ClientRegistration, credential: StoredCredential) -> dict[str, str]:
        """The headers that every call to the provider's API carries, secrets in clear.

        Raises: RequestRefused for a value that a header cannot carry.
        """
        return api_call.build_headers(self.definition, registration, self.settings(registration).parameters, credential)

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
        """The headers of every request, for this one: good until the access token ends, and for no other host."""
        self.settings(registration).urls.check(request.url)
        headers = self.api_headers(registration, credential)
        if content_type := self.content_type(request):
            headers["Content-Type"] = content_type
        return SignedHeaders(headers=headers, valid_until=expires_at, single_use=False)

    def read_answer(self, answer: HttpResponse) -> ApiReading:
        """What an answer of the provider's API means."""
        return api_answer.read_answer(self.definition, answer)

    def external_account(
        self, registration: ClientRegistration, credential: StoredCredential, entered: Mapping[str, str]
    ) -> ExternalAccount:
        """Whose account a credential opens, asked as the definition says: at most two calls.

        Shape:  entered are the values that the customer entered, with the registration's `client_id`.
        Raises: as `external_account.process_response` and `external_account.without_asking`; AccountUnverified with
                the account, where only its state is at fault.
        """
        lookup, environment, issuer = (
            self.definition.external_account,
            self.environment(registration),
            self.issuer(registration),
        )
        if lookup is None or not lookup.endpoint:
            token = credential.access_token if isinstance(credential, OAuthCredential) else None
            return external_account.without_asking(
                self.definition, environment, issuer=issuer, access_token=token, entered=entered
            )
        headers, base_url = self.api_headers(registration, credential), self.base_url(registration)
        request = external_account.build_account_request(
            lookup, environment, headers, base_url=base_url, entered=entered
        )
        account = external_account.process_response(
            self.definition, lookup, self._send(request), issuer=issuer, entered=entered
        )
        if lookup.state_endpoint:
            state = external_account.build_state_request(
                lookup, environment, headers, base_url=base_url, entered=entered
            )
            self._check_state(account, state)
        return account

    def _check_state(self, account: ExternalAccount, request: HttpRequest) -> None:
        try:
            external_account.process_state(self.definition, self._send(request))
        except AccountUnverified as error:
            error.account = account
            raise

    def content_type(self, request: RequestToSign) -> str:
        """The Content-Type of the request; empty when there is none. Raises: RequestRefused."""
        value = request.content_type or ""
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            self.refuse("header_value", "content_type", expected="a media type on one line")
        return value

    def unsupported(self, operation: str) -> UnsupportedOperation:
        """The error for an operation it does not have."""
        return UnsupportedOperation(provider_id=self.id, operation=operation, supported=self.capabilities)

    def refuse(self, problem: str, field: str, *, position: int | None = None, expected: str = "") -> NoReturn:
        """Raises: RequestRefused in this provider's name."""
        raise RequestRefused(problem=problem, field=field, position=position, expected=expected, provider_id=self.id)

    def _require(self, operation: str) -> None:
        if operation not in self.capabilities:
            raise self.unsupported(operation)

    def _send(self, request: HttpRequest) -> HttpResponse:
        return self._outbound.send(request, provider_id=self.id)
