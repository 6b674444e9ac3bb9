"""What a catalogue file says of a provider that signs requests, or whose credential a customer types in."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

EnteredKind = Literal["identifier", "business_id", "identifier_or_business_id"]


class EnteredField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value that the customer types in.

    Shape:  help says, a sentence each, where the provider's program shows the value. kind chooses how it is
            normalised. pattern is a regular expression for the whole normalised value, expected the same in
            words; both are for identifiers, a business id has its own check. way joins fields that belong
            together where there are several ways to connect: the customer fills in the fields of one of them.
    """

    name: str
    label: str
    help: tuple[str, ...] = ()
    kind: EnteredKind = "identifier"
    pattern: str = r"[\x21-\x7e]{1,200}"
    expected: str = "letters, digits and signs without spaces, at most 200"
    secret: bool = False
    example: str = ""
    way: str = ""


class RegistrationField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value that staff give with a client registration.

    Shape:  `client_id` and `client_secret` are the registration's own, under the provider's name for them; any
            other name is one of its parameters. choices is what it may be, empty for free text within pattern.
            A field without default and not optional has to be given. one_tenant_choices are those of the choices
            that only a registration of one tenant may have, since they open the accounts of all.
    """

    name: str
    label: str
    help: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    one_tenant_choices: tuple[str, ...] = ()
    default: str = ""
    pattern: str = r".{1,200}"
    optional: bool = False


class Signing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be signed.

    Units:  seconds.
    """

    methods: tuple[str, ...]
    valid_seconds: int = 60
