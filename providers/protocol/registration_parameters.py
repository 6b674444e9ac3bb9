"""What staff gave with a client registration, against the definition's registration fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from providers.definition import ProviderDefinition, RegistrationField, Traits
from providers.definition.signing_rules import REGISTRATION_COLUMNS, TRAIT_TYPES
from providers.definition.trait_rules import impossible
from providers.errors import RequestRefused
from providers.messages import ClientRegistration

# RFC 6749 appendix A.1 allows spaces; those at the ends were pasted along.
_CLIENT_ID = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?")


def read_parameters(definition: ProviderDefinition, parameters: Mapping[str, str]) -> dict[str, str]:
    """Every registration field the definition knows, defaults filled in; an optional one that is absent is empty.

    Shape:  beside those, parameters may hold other values for authorization_extra_parameters; they are not returned.
    Raises: RequestRefused naming the field as `parameters.<name>`.
    """
    known = {field.name: field for field in definition.registration_fields if field.name not in REGISTRATION_COLUMNS}
    if unknown := sorted(parameters.keys() - known.keys() - definition.authorization_extra_parameters.keys()):
        name = unknown[0] if re.fullmatch(r"[a-z_]{1,40}", unknown[0]) else "(unknown)"
        raise _refused(definition, f"parameters.{name}", "unknown_field", f"only {', '.join(known)}")
    return {name: _value(definition, field, parameters.get(name, "")) for name, field in known.items()}


def check_registration(definition: ProviderDefinition, registration: ClientRegistration) -> None:
    """Nothing when the registration can be used.

    Raises: RequestRefused naming the field: `client_id`, `client_secret`, `scopes` or `parameters.<name>`.
    """
    parameters = read_parameters(definition, registration.parameters)
    for name, expected in impossible(traits_with(definition, parameters)):
        raise _refused(definition, f"parameters.{name}", "impossible", expected)
    names = {field.name for field in definition.registration_fields}
    if not _CLIENT_ID.fullmatch(registration.client_id):
        raise _refused(definition, "client_id", "pattern", "letters, digits and signs, no spaces around them")
    if not registration.client_secrets and ("client_secret" in names or _authenticates(definition, registration)):
        raise _refused(definition, "client_secret", "missing", "the provider's secret for this registration")
    check_scopes(definition, registration.scopes, field="scopes")


def _authenticates(definition: ProviderDefinition, registration: ClientRegistration) -> bool:
    method = registration.token_endpoint_auth_method or definition.token_endpoint_auth_methods_supported[0]
    asked = bool(definition.grant_types_supported) or bool(
        definition.minting and definition.minting.client_authentication
    )
    return asked and method != "none"


def traits_with(definition: ProviderDefinition, parameters: Mapping[str, str]) -> Traits:
    """The definition's traits, those replaced that a parameter is named like.

    Raises: RequestRefused for a value that the trait cannot have.
    """
    changed = {}
    for name in TRAIT_TYPES.keys() & parameters.keys():
        if parameters[name]:
            changed[name] = _trait(definition, name, parameters[name])
    return msgspec.structs.replace(definition.traits, **changed) if changed else definition.traits


def _trait(definition: ProviderDefinition, name: str, value: str) -> object:
    try:
        return msgspec.convert(value, TRAIT_TYPES[name], strict=False)
    except msgspec.ValidationError:
        raise _refused(definition, f"parameters.{name}", "pattern", "a value that this trait can have") from None


def check_scopes(definition: ProviderDefinition, scopes: Sequence[str], *, field: str) -> None:
    """Nothing when the provider has all of these scopes. Raises: RequestRefused."""
    if not all(definition.has_scope(scope) for scope in scopes):
        known = ", ".join(entry.name for entry in definition.scopes_supported) or "none"
        raise _refused(definition, field, "unknown_scope", f"scopes of the provider: {known}")


def _value(definition: ProviderDefinition, field: RegistrationField, given: str) -> str:
    value, place = given or field.default, f"parameters.{field.name}"
    if not value:
        if field.optional:
            return ""
        raise _refused(definition, place, "missing", f"a value for {field.label}")
    if field.choices and value not in field.choices:
        raise _refused(definition, place, "choice", f"one of {', '.join(field.choices)}")
    if not re.fullmatch(field.pattern, value) or not value.isprintable():
        raise _refused(definition, place, "pattern", f"a value for {field.label} without control characters")
    return value


def _refused(definition: ProviderDefinition, field: str, problem: str, expected: str) -> RequestRefused:
    return RequestRefused(problem=problem, field=field, expected=expected, provider_id=definition.id)
