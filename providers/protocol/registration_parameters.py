"""What staff gave with a client registration, against the definition's registration fields."""

from __future__ import annotations

import re
from collections.abc import Mapping

from providers.definition import ProviderDefinition, RegistrationField
from providers.definition.signing_rules import REGISTRATION_COLUMNS
from providers.errors import RequestRefused
from providers.messages import ClientRegistration


def read_parameters(definition: ProviderDefinition, parameters: Mapping[str, str]) -> dict[str, str]:
    """Every parameter the definition knows, defaults filled in; an optional one that is absent is empty.

    Raises: RequestRefused naming the field as `parameters.<name>`.
    """
    known = {field.name: field for field in definition.registration_fields if field.name not in REGISTRATION_COLUMNS}
    if unknown := sorted(parameters.keys() - known.keys()):
        name = unknown[0] if re.fullmatch(r"[a-z_]{1,40}", unknown[0]) else "(unknown)"
        raise _refused(definition, f"parameters.{name}", "unknown_field", f"only {', '.join(known)}")
    return {name: _value(definition, field, parameters.get(name, "")) for name, field in known.items()}


def check_registration(definition: ProviderDefinition, registration: ClientRegistration) -> None:
    """Nothing when the registration can be used.

    Raises: RequestRefused naming the field: `client_id`, `client_secret` or `parameters.<name>`.
    """
    read_parameters(definition, registration.parameters)
    names = {field.name for field in definition.registration_fields}
    if "client_id" in names and not re.fullmatch(r"[\x21-\x7e]{1,200}", registration.client_id):
        raise _refused(definition, "client_id", "pattern", "letters, digits and signs without spaces")
    if "client_secret" in names and not registration.client_secrets:
        raise _refused(definition, "client_secret", "missing", "the provider's secret for this registration")


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
