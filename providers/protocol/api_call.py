"""What every call to a provider's API carries: the credential's proof and the headers of the catalogue."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping

from providers.definition import ProviderDefinition
from providers.definition.templates import fill, variables
from providers.errors import RequestRefused, UnsupportedOperation
from providers.messages import ClientRegistration, EnteredCredential, OAuthCredential, StoredCredential

_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def build_headers(
    definition: ProviderDefinition,
    registration: ClientRegistration,
    parameters: Mapping[str, str],
    credential: StoredCredential,
) -> dict[str, str]:
    """The headers, secrets in clear; one whose template comes out empty is left out.

    Raises: RequestRefused naming the field whose value a header cannot carry.
    """
    headers = _authorization(definition, credential)
    if definition.api_headers:
        values = template_values(registration, parameters, credential)
        filled = ((name, template, fill(template, values)) for name, template in definition.api_headers.items())
        for name, template, value in filled:
            if value and not _VALUE.fullmatch(value):
                raise _refused(definition, template, values)
            if value:
                headers[name] = value
    return headers


def template_values(
    registration: ClientRegistration, parameters: Mapping[str, str], credential: StoredCredential
) -> dict[str, str]:
    """What templates may use, by the names of `ProviderDefinition`; secrets in clear."""
    if not isinstance(credential, OAuthCredential):
        return entered_values(registration, parameters, credential)
    return {
        **{f"extras.{name}": str(value) for name, value in credential.extras.items()},
        **entered_values(registration, parameters, credential.entered or EnteredCredential(fields={})),
    }


def entered_values(
    registration: ClientRegistration, parameters: Mapping[str, str], entered: EnteredCredential
) -> dict[str, str]:
    """The part of `template_values` that is known before there is a token."""
    return {
        **{f"parameters.{name}": value for name, value in parameters.items()},
        **{name: secret.reveal() for name, secret in entered.fields.items()},
        "client_id": registration.client_id,
        "client_secret": registration.client_secrets[0].reveal() if registration.client_secrets else "",
    }


def _authorization(definition: ProviderDefinition, credential: StoredCredential) -> dict[str, str]:
    if definition.api_authorization == "none":
        return {}
    if not isinstance(credential, OAuthCredential):
        raise UnsupportedOperation(provider_id=definition.id, operation="access_token", supported=())
    token = credential.access_token.reveal()
    if not _VALUE.fullmatch(token):
        raise RequestRefused(
            problem="header_value", field="access_token", expected="a token of one line", provider_id=definition.id
        )
    if definition.api_authorization == "basic":
        pair = f"{definition.api_basic_user}:{token}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode('ascii')}"}
    return {"Authorization": f"{credential.token_type} {token}"}


def _refused(definition: ProviderDefinition, template: str, values: Mapping[str, str]) -> RequestRefused:
    odd = [name for name in sorted(variables(template)) if not _VALUE.fullmatch(values.get(name, "") or "x")]
    return RequestRefused(
        problem="header_value",
        field=odd[0] if odd else "headers",
        expected="ASCII on one line, no spaces around it",
        provider_id=definition.id,
    )
