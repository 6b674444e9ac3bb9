"""What may not be said of the kinds of provider: that one definition is one kind, and its templates are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from providers.definition.minting import KnownRefusal, Minting
from providers.definition.signing_rules import REGISTRATION_COLUMNS
from providers.definition.templates import is_template, variables
from providers.definition.values import ProviderDefinition

_DAYS = frozenset({"tomorrow", "day_after_tomorrow"})
# What templates call by these names; no entered field may have one of them.
RESERVED_VARIABLES = _DAYS | {
    "client_id",
    "client_secret",
    "scope",
    "api_base_url",
    "userinfo_endpoint",
    "parameters",
    "extras",
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# Whoever makes the call sets them, from its own request.
_FOREIGN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})

Complaint = tuple[str, str]


def kind_complaints(definition: ProviderDefinition) -> Iterator[Complaint]:
    """Each rule that is broken on what a definition is as a whole."""
    authorizes = bool(definition.grant_types_supported)
    static = definition.api_authorization == "none" and bool(definition.api_headers)
    if not (authorizes or definition.signing or definition.minting or static):
        yield "grant_types_supported", "authorization_code, or else signing, minting, or only api_headers"
    if authorizes and definition.entered_fields:
        yield "entered_fields", "none beside authorization_code: there the customer signs in"
    if definition.minting is not None:
        yield from _minting(definition, definition.minting)
    if not authorizes and definition.signing is None and definition.external_account is None:
        yield "external_account", "a table: what was entered has to be verified"
    if static and not definition.minting and not authorizes and not (_account_endpoint(definition)):
        yield "external_account.endpoint", "a URL: without a token, only a call can verify"
    if definition.sunset_on is not None and not definition.sunset_note:
        yield "sunset_note", "a sentence, since there is a sunset_on"


def template_complaints(definition: ProviderDefinition) -> Iterator[Complaint]:
    """Each rule that is broken in a template, or in what surrounds one."""
    for field in definition.entered_fields:
        if field.name in RESERVED_VARIABLES:
            yield f"entered_fields.{field.name}", "a name that templates do not use otherwise"
    ways = {field.way for field in definition.entered_fields if field.way}
    if len(ways) == 1:
        yield "entered_fields", "two ways or more, or none"
    link = definition.connect.link
    if link and (not link.startswith("https://") or not is_template(link) or not variables(link) <= {"client_id"}):
        yield "connect.link", "an https URL, and no variable but client_id"
    yield from _api_headers(definition)


def refusal_complaints(definition: ProviderDefinition) -> Iterator[Complaint]:
    """Each rule that is broken in what is known of refusals."""
    parameters = {f"parameters.{field.name}" for field in definition.registration_fields}
    places = {field.name for field in definition.entered_fields} | REGISTRATION_COLUMNS | parameters | {"scope"}
    for number, known in enumerate(definition.refusals):
        yield from _refusal(f"refusals[{number}]", known, places)


def _account_endpoint(definition: ProviderDefinition) -> str:
    return definition.external_account.endpoint if definition.external_account else ""


def _minting(definition: ProviderDefinition, minting: Minting) -> Iterator[Complaint]:
    if definition.grant_types_supported or definition.signing:
        yield "minting", "neither grants nor signing beside it"
    if definition.api_authorization == "none":
        yield "api_authorization", "bearer or basic: a minted token has to go somewhere"
    if not minting.parameters:
        yield "minting.parameters", "at least one"
    known = _plain_variables(definition) | _DAYS | {"scope"}
    for name, template in minting.parameters.items():
        yield from _template(f"minting.parameters.{name}", template, known)
    used = frozenset().union(*map(variables, minting.parameters.values()))
    unused = [field.name for field in definition.entered_fields if field.secret and field.name not in used]
    if unused:
        yield "minting.parameters", f"a use for {unused[0]}, which customers are asked for"
    if minting.scopes_on_request and ("scope" not in used or not definition.scopes_supported):
        yield "minting.scopes_on_request", "{scope} in a parameter, and scopes_supported"


def _api_headers(definition: ProviderDefinition) -> Iterator[Complaint]:
    known = _plain_variables(definition)
    for name, template in definition.api_headers.items():
        extras = {variable for variable in variables(template) if variable.startswith("extras.")}
        yield from _template(f"api_headers.{name}", template, known | extras)
        taken = _FOREIGN_HEADERS | (set() if definition.api_authorization == "none" else {"authorization"})
        if not _HEADER_NAME.fullmatch(name) or name.lower() in taken:
            yield f"api_headers.{name}", "a header's name, and none that is set otherwise"
    if len({name.lower() for name in definition.api_headers}) != len(definition.api_headers):
        yield "api_headers", "each name once"
    basic = definition.api_authorization == "basic"
    if not re.fullmatch(r"[\x21-\x39\x3b-\x7e]*", definition.api_basic_user) or (
        definition.api_basic_user and not basic
    ):
        yield "api_basic_user", "a name without spaces and colons, only with api_authorization basic"


def _template(key: str, template: str, known: frozenset[str] | set[str]) -> Iterator[Complaint]:
    if not is_template(template) or not variables(template) <= known:
        yield key, f"no variables but {', '.join(sorted(known))}"


def _plain_variables(definition: ProviderDefinition) -> frozenset[str]:
    """What both kinds of template may use."""
    own = {field.name for field in definition.registration_fields} - REGISTRATION_COLUMNS
    entered = {field.name for field in definition.entered_fields}
    return frozenset(entered | REGISTRATION_COLUMNS | {f"parameters.{name}" for name in own})


def _refusal(key: str, known: KnownRefusal, places: set[str] | frozenset[str]) -> Iterator[Complaint]:
    if not known.error and not known.contains:
        yield key, "error, contains or both"
    if not all(100 <= status < 600 for status in known.statuses):
        yield f"{key}.statuses", "HTTP statuses"
    for field in known.fields:
        if field not in places:
            yield f"{key}.fields", f"of {', '.join(sorted(places))}"
