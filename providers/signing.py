"""What all providers that sign requests have in common: facts of the definition, and the guard on URLs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from providers.definition import Environment, ProviderDefinition, Signing
from providers.errors import DefinitionError, RequestRefused, UnsupportedOperation
from providers.interface import AUTHORIZES, SIGNS_REQUESTS, VERIFIES
from providers.messages import ClientRegistration, EnteredCredential, OAuthCredential, RequestToSign
from providers.outbound import Outbound
from providers.protocol.registration_parameters import read_parameters
from providers.protocol.signable_url import SignableUrls, check_base_url

_SETTINGS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """What a registration says about signing, checked once: nothing in it is secret.

    Shape:  base_path is the path of every base URL, empty or beginning with "/".
    """

    base_url: str
    base_path: str
    urls: SignableUrls
    parameters: Mapping[str, str]


class SigningProvider:
    """Facts of a definition with `signing`; a provider's own module adds `sign` and `verify`."""

    def __init__(self, definition: ProviderDefinition, outbound: Outbound, *, allow_loopback: bool = False) -> None:
        if definition.signing is None:
            raise DefinitionError(file=definition.id, key="signing", expected="a table: it signs requests")
        self.definition = definition
        self.signing: Signing = definition.signing
        self.valid_for = dt.timedelta(seconds=self.signing.valid_seconds)
        self._outbound = outbound
        self._allow_loopback = allow_loopback
        self._methods = frozenset(self.signing.methods)
        self._settings: dict[tuple[object, ...], SigningSettings] = {}

    @property
    def id(self) -> str:
        """The provider id."""
        return self.definition.id

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Signs requests, and verifies what was typed in."""
        return (SIGNS_REQUESTS, VERIFIES)

    def environment(self, registration: ClientRegistration) -> Environment:
        """The environment a registration lives in.

        Raises: DefinitionError when the catalogue does not have it.
        """
        try:
            return self.definition.environments[registration.environment]
        except KeyError:
            known = ", ".join(sorted(self.definition.environments))
            raise DefinitionError(file=self.id, key="environments", expected=f"one of {known}") from None

    def settings(self, registration: ClientRegistration) -> SigningSettings:
        """The registration's parameters and the URLs that may be signed for it.

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

    def _read_settings(self, registration: ClientRegistration) -> SigningSettings:
        environment = self.environment(registration)
        parameters = read_parameters(self.definition, registration.parameters)
        name = self.signing.base_url_parameter
        bases: tuple[str, ...]
        if own := parameters.get(name, ""):
            field = f"parameters.{name}"
            bases = (check_base_url(own, field=field, allow_loopback=self._allow_loopback, provider_id=self.id),)
        else:
            path = urlsplit(environment.api_base_url).path
            bases = (environment.api_base_url, *(f"https://{host}{path}" for host in environment.api_hosts))
        base_url = bases[0].rstrip("/")
        return SigningSettings(
            base_url=base_url,
            base_path=urlsplit(base_url).path,
            urls=SignableUrls(bases, self.signing.paths, provider_id=self.id),
            parameters=parameters,
        )

    def base_url(self, registration: ClientRegistration) -> str:
        """Where the provider's API lives for this registration, its own host included."""
        return self.settings(registration).base_url

    def default_scopes(self, registration: ClientRegistration) -> tuple[str, ...]:
        """None: the scheme has no scopes."""
        return ()

    def issuer(self, registration: ClientRegistration) -> str:
        """What external accounts are named under: the environment's API, there being no authorization server."""
        return self.environment(registration).issuer or self.base_url(registration)

    def authorization_origin(self, registration: ClientRegistration) -> str:
        """Raises: UnsupportedOperation, always: no browser is sent anywhere."""
        raise self.unsupported(AUTHORIZES)

    def api_headers(self, registration: ClientRegistration, credential: OAuthCredential) -> dict[str, str]:
        """Raises: UnsupportedOperation, always: headers exist for one request only, see `sign`."""
        raise self.unsupported("api_headers")

    def unsupported(self, operation: str) -> UnsupportedOperation:
        """The error for an operation it does not have."""
        return UnsupportedOperation(provider_id=self.id, operation=operation, supported=self.capabilities)

    def check_method(self, request: RequestToSign) -> None:
        """Nothing when the method is one of the definition's. Raises: RequestRefused."""
        if request.method not in self._methods:
            self.refuse("method", "method", expected=f"one of {', '.join(self.signing.methods)}")

    def content_type(self, request: RequestToSign) -> str:
        """The Content-Type of the request; empty when there is none. Raises: RequestRefused."""
        value = request.content_type or ""
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            self.refuse("header_value", "content_type", expected="a media type on one line")
        return value

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

    def refuse(self, problem: str, field: str, *, position: int | None = None, expected: str = "") -> NoReturn:
        """Raises: RequestRefused in this provider's name."""
        raise RequestRefused(problem=problem, field=field, position=position, expected=expected, provider_id=self.id)


def utc(now: dt.datetime) -> dt.datetime:
    """The instant in UTC.

    Raises: ValueError for a time without zone, which on another machine would be another instant.
    """
    if now.tzinfo is None:
        raise ValueError("an aware time")
    return now if now.tzinfo is dt.UTC else now.astimezone(dt.UTC)
