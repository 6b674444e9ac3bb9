"""What a customer typed or pasted, made into a credential or refused with the field's name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from providers.definition import EnteredField, ProviderDefinition
from providers.errors import RequestRefused
from providers.messages import EnteredCredential, Secret
from providers.protocol import business_id

MAXIMUM_LENGTH = 1000
# Spaces of all kinds, line ends, and what a copied cell or mail brings along unseen.
_UNSEEN = re.compile(r"[\s\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"


def read_entered(definition: ProviderDefinition, typed: Mapping[str, str]) -> EnteredCredential:
    """The credential that a filled form stands for: of fields with a way, those of the one way filled in.

    Raises: RequestRefused naming the field; problem is one of unknown_field, missing, two_ways, too_long, pattern,
            not_a_business_id, check_digit.
    """
    known = {field.name: field for field in definition.entered_fields}
    if unknown := sorted(typed.keys() - known.keys()):
        expected = f"only {', '.join(known)}" if known else "no values"
        raise _refused(definition, unknown[0], "unknown_field", expected)
    asked = _fields_asked(definition, typed)
    return EnteredCredential(
        fields={field.name: Secret(_accepted(definition, field, typed.get(field.name, ""))) for field in asked}
    )


def _fields_asked(definition: ProviderDefinition, typed: Mapping[str, str]) -> list[EnteredField]:
    """The fields without a way, and those of the way that was taken; of several, none counts."""
    ways = tuple(dict.fromkeys(field.way for field in definition.entered_fields if field.way))
    filled = [field for field in definition.entered_fields if field.way and _is_filled(typed.get(field.name, ""))]
    taken = filled[0].way if filled else next(iter(ways), "")
    for field in filled:
        if field.way != taken:
            raise _refused(definition, field.name, "two_ways", "one way to connect filled in, and the other empty")
    return [field for field in definition.entered_fields if field.way in ("", taken)]


def _is_filled(typed: str) -> bool:
    return len(typed) > MAXIMUM_LENGTH or without_paste_marks(typed) != ""


def without_paste_marks(text: str) -> str:
    """The text without spaces, unseen characters and quotes around it, and with plain hyphens for dashes."""
    return _DASHES.sub("-", _UNSEEN.sub("", text)).strip(_QUOTES)


def _accepted(definition: ProviderDefinition, field: EnteredField, typed: str) -> str:
    if len(typed) > MAXIMUM_LENGTH:
        raise _refused(definition, field.name, "too_long", f"at most {MAXIMUM_LENGTH} characters")
    value = without_paste_marks(typed)
    if not value:
        raise _refused(definition, field.name, "missing", f"the value of {field.label}")
    if field.kind == "business_id" or (
        field.kind == "identifier_or_business_id" and business_id.looks_like_business_id(value)
    ):
        return _business_id(definition, field, value)
    if not re.fullmatch(field.pattern, value):
        raise _refused(definition, field.name, "pattern", field.expected)
    return value


def _business_id(definition: ProviderDefinition, field: EnteredField, value: str) -> str:
    found = business_id.normalised(value)
    if found is None:
        raise _refused(definition, field.name, "not_a_business_id", "seven digits, a hyphen and a digit")
    if not business_id.check_digit_is_right(found):
        raise _refused(definition, field.name, "check_digit", "a business id; one of its digits is mistyped")
    return found


def _refused(definition: ProviderDefinition, name: str, problem: str, expected: str) -> RequestRefused:
    # A name that the form does not have is the sender's own text, and not repeated as it came.
    safe = name if re.fullmatch(r"[a-z_]{1,40}", name) else "(unknown)"
    return RequestRefused(problem=problem, field=safe, expected=expected, provider_id=definition.id)
