"""How we prove who we are at the token and revocation endpoints: one method, never two at once."""

from __future__ import annotations

from base64 import b64encode

from providers.definition import ProviderDefinition
from providers.errors import ClientRejected
from providers.messages import ClientRegistration
from providers.protocol import quirks
from providers.protocol.quirks import Fields


def authenticate(definition: ProviderDefinition, registration: ClientRegistration) -> tuple[Fields, dict[str, str]]:
    """The form fields and the headers that authenticate the client.

    Shape:  the first of the registration's secrets is used.
    Raises: ClientRejected when the method is not the provider's or the secret is missing; nothing is sent.
    Source: RFC 6749 section 2.3.1.
    """
    method = auth_method(definition, registration)
    if method == "none":
        return (("client_id", registration.client_id),), {}
    if not registration.client_secrets:
        raise _refused(definition, f"{method} needs a client secret")
    secret = registration.client_secrets[0].reveal()
    if method == "client_secret_post":
        return (("client_id", registration.client_id), ("client_secret", secret)), {}
    pair = quirks.basic_credentials(definition.quirks, registration.client_id, secret)
    header = f"Basic {b64encode(pair.encode('utf-8')).decode('ascii')}"
    return quirks.client_id_beside_basic(definition.quirks, registration.client_id), {"Authorization": header}


def auth_method(definition: ProviderDefinition, registration: ClientRegistration) -> str:
    """The registration's method, or the provider's default.

    Raises: ClientRejected when the provider does not have the registration's method.
    """
    supported = definition.token_endpoint_auth_methods_supported
    method = registration.token_endpoint_auth_method or supported[0]
    if method not in supported:
        raise _refused(definition, f"the client authentication method is none of {', '.join(supported)}")
    return method


def _refused(definition: ProviderDefinition, description: str) -> ClientRejected:
    return ClientRejected(provider_id=definition.id, endpoint="token", description=description)
