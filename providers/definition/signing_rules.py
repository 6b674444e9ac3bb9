"""What may not be said of signing, entered fields and registration fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_type_hints

import msgspec

from providers.definition.signing import EnteredField, RegistrationField, Signing
from providers.definition.values import ProviderDefinition, Traits

MAXIMUM_VALID_SECONDS = 60
# In these names a registration keeps its own columns, not parameters.
REGISTRATION_COLUMNS = frozenset({"client_id", "client_secret"})
# A registration field named like one of these overrides it.
TRAIT_TYPES: Mapping[str, Any] = {
    name: annotation for name, annotation in get_type_hints(Traits).items() if name != "evidence"
}
_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_METHOD = re.compile(r"[A-Z]+")
_PATH = re.compile(r"(/[A-Za-z0-9_.~*-]+)+")

Complaint = tuple[str, str]


def signing_complaints(definition: ProviderDefinition) -> Iterator[Complaint]:
    """Each rule that is broken: the key, and what is expected there."""
    yield from _names("entered_fields", definition.entered_fields)
    yield from _names("registration_fields", definition.registration_fields)
    for entered in definition.entered_fields:
        yield from _pattern(f"entered_fields.{entered.name}.pattern", entered.pattern)
    for field in definition.registration_fields:
        yield from _registration_field(f"registration_fields.{field.name}", field)
    yield from _api(definition)
    if definition.signing is not None:
        yield from _signing(definition, definition.signing)


def _names(key: str, fields: Sequence[EnteredField | RegistrationField]) -> Iterator[Complaint]:
    names = [field.name for field in fields]
    for name in names:
        if not _NAME.fullmatch(name):
            yield f"{key}.{name}", "a name of lower-case words joined by underscores"
    if len(set(names)) != len(names):
        yield key, "each name once"
    for field in fields:
        if not field.label:
            yield f"{key}.{field.name}.label", "the provider's word for it"


def _pattern(key: str, pattern: str) -> Iterator[Complaint]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield key, f"a regular expression: {error}"


def _registration_field(key: str, field: RegistrationField) -> Iterator[Complaint]:
    yield from _pattern(f"{key}.pattern", field.pattern)
    if field.choices and field.default and field.default not in field.choices:
        yield f"{key}.default", f"one of {', '.join(field.choices)}"
    for value in filter(None, (*field.choices, field.default)):
        if field.name in TRAIT_TYPES and not _fits_trait(field.name, value):
            yield key, "a value that the trait of this name can have"
    if field.name in REGISTRATION_COLUMNS and (field.default or field.choices):
        yield key, "no default and no choices: it is the registration's own"


def _fits_trait(name: str, value: str) -> bool:
    try:
        msgspec.convert(value, TRAIT_TYPES[name], strict=False)
    except msgspec.ValidationError:
        return False
    return True


def _signing(definition: ProviderDefinition, signing: Signing) -> Iterator[Complaint]:
    if definition.grant_types_supported:
        yield "grant_types_supported", "[] for a provider that signs each request"
    if not signing.methods or not all(_METHOD.fullmatch(method) for method in signing.methods):
        yield "signing.methods", "HTTP methods in capitals"
    if not 0 < signing.valid_seconds <= MAXIMUM_VALID_SECONDS:
        yield "signing.valid_seconds", f"1 to {MAXIMUM_VALID_SECONDS}"


def _api(definition: ProviderDefinition) -> Iterator[Complaint]:
    if not definition.api_paths:
        yield "api_paths", "at least one"
    for path in definition.api_paths:
        if not _PATH.fullmatch(path) or "/.." in path:
            yield "api_paths", "paths that begin with / and have no dot segments"
    parameters = {field.name for field in definition.registration_fields} - REGISTRATION_COLUMNS
    if definition.base_url_parameter and definition.base_url_parameter not in parameters:
        yield "base_url_parameter", "the name of one of the registration_fields"
