"""The authorization and redirection endpoints: where the browser goes, and what it brings back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from authlib.common.urls import add_params_to_uri

from providers.definition import Environment, ProviderDefinition
from providers.errors import AuthorizationRefused, AuthorizationResponseInvalid, DefinitionError
from providers.messages import AuthorizationRequest, ClientRegistration
from providers.protocol import quirks
from providers.protocol.pkce import CODE_CHALLENGE_METHOD, code_challenge

# Shape: the longest value of each parameter that is read, in characters.
LIMITS: Mapping[str, int] = {
    "code": 4096,
    "state": 1024,
    "iss": 2048,
    "error": 256,
    "error_description": 4096,
}
_CODE = re.compile(r"[\x20-\x7e]+")


def build_authorization_request(
    definition: ProviderDefinition,
    registration: ClientRegistration,
    environment: Environment,
    *,
    scopes: tuple[str, ...],
    redirect_uri: str,
    state: str,
    code_verifier: str,
    locale: str | None,
) -> AuthorizationRequest:
    """The authorization request as a URL.

    Raises: DefinitionError when the registration sets a parameter that the definition does not have.
    Source: RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core section 3.1.2.1 (ui_locales).
    """
    scope = quirks.joined_scopes(definition.quirks, scopes)
    parameters = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        **({"scope": scope} if scope else {}),
        "state": state,
        "code_challenge": code_challenge(code_verifier),
        "code_challenge_method": CODE_CHALLENGE_METHOD,
        **({"response_mode": mode} if (mode := definition.response_modes_supported[0]) != "query" else {}),
        **_extra_parameters(definition, registration),
        **({"ui_locales": locale} if locale and locale in definition.ui_locales_supported else {}),
    }
    url = add_params_to_uri(environment.authorization_endpoint, list(parameters.items()))
    return AuthorizationRequest(url=str(url))


def _extra_parameters(definition: ProviderDefinition, registration: ClientRegistration) -> dict[str, str]:
    known = definition.authorization_extra_parameters
    fields = {field.name for field in definition.registration_fields}
    for name in registration.parameters:
        if name not in known and name not in fields:
            expected = f"a parameter for {name!r}, which a client registration sets"
            raise DefinitionError(file=definition.id, key="authorization_extra_parameters", expected=expected)
    return {name: registration.parameters.get(name, value) for name, value in known.items()}


def process_authorization_response(
    definition: ProviderDefinition, environment: Environment, parameters: Sequence[tuple[str, str]]
) -> str:
    """The authorization code.

    Shape:  parameters as they came; unknown names are ignored unless one is repeated.
    Raises: AuthorizationRefused, AuthorizationResponseInvalid.
    Source: RFC 6749 sections 3.1, 4.1.2 and 4.1.2.1, RFC 9207 section 2.4.
    """
    problem = _problem(environment, parameters)
    if problem:
        raise AuthorizationResponseInvalid(provider_id=definition.id, problem=problem)
    members = dict(parameters)
    if members.get("error"):
        raise AuthorizationRefused(
            provider_id=definition.id,
            endpoint="redirection",
            error=quirks.error_code(definition.quirks, members["error"]),
            description=members.get("error_description", ""),
        )
    return members["code"]


def _problem(environment: Environment, parameters: Sequence[tuple[str, str]]) -> str | None:
    """A stable code for the first thing that is wrong, None when nothing is."""
    members = dict(parameters)
    if len(members) != len(parameters):
        return "parameter_repeated"
    if any(len(members.get(name, "")) > limit for name, limit in LIMITS.items()):
        return "parameter_too_long"
    if members.get("code") and members.get("error"):
        return "code_and_error"
    return _issuer_problem(environment, members.get("iss")) or _code_problem(members)


def _issuer_problem(environment: Environment, iss: str | None) -> str | None:
    if iss is None:
        return "iss_missing" if environment.iss_required else None
    # Compared even when it was not announced: an answer of another server is never ours (RFC 9700 4.4.2.1).
    return None if iss == environment.issuer else "iss_mismatch"


def _code_problem(members: Mapping[str, str]) -> str | None:
    if members.get("error"):
        return None
    if not members.get("code"):
        return "code_missing"
    return None if _CODE.fullmatch(members["code"]) else "code_malformed"
