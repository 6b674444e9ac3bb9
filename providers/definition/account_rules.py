"""What may not be said of the ways to learn whose account it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from providers.definition.minting import CompanyChoice
from providers.definition.templates import is_template, variables
from providers.definition.values import ExternalAccountLookup, ProviderDefinition

ENDPOINT_VARIABLES = frozenset({"api_base_url", "userinfo_endpoint"})
_NAME = re.compile(r"[a-z]+(_[a-z]+)*")

Complaint = tuple[str, str]


def account_complaints(definition: ProviderDefinition) -> Iterator[Complaint]:
    """Each rule that is broken: the key, and what is expected there."""
    lookup = definition.external_account
    if lookup is not None:
        yield from _endpoint(definition, lookup)
        yield from _subject(definition, lookup)
    if definition.company_choice is not None:
        yield from _company_choice(definition, definition.company_choice)


def _endpoint(definition: ProviderDefinition, lookup: ExternalAccountLookup) -> Iterator[Complaint]:
    if lookup.state_endpoint:
        yield from _url_template(definition, "state_endpoint", lookup.state_endpoint)
    if not lookup.endpoint:
        return
    yield from _url_template(definition, "endpoint", lookup.endpoint)
    if "{userinfo_endpoint}" in lookup.endpoint:
        for name, environment in definition.environments.items():
            if environment.userinfo_endpoint is None:
                yield f"environments.{name}.userinfo_endpoint", "a URL, since external_account asks there"


def _url_template(definition: ProviderDefinition, key: str, template: str) -> Iterator[Complaint]:
    # A secret in a URL would stand in the provider's logs.
    plain = {field.name for field in definition.entered_fields if not field.secret}
    known = ENDPOINT_VARIABLES | plain
    if not is_template(template) or not variables(template) <= known:
        yield f"external_account.{key}", f"no variables but {', '.join(sorted(known))}"
    if not re.match(r"\{(api_base_url|userinfo_endpoint)\}", template):
        # A foreign host here would be handed an access token.
        yield f"external_account.{key}", "a URL that begins with {api_base_url} or {userinfo_endpoint}"


def _subject(definition: ProviderDefinition, lookup: ExternalAccountLookup) -> Iterator[Complaint]:
    entered = {field.name for field in definition.entered_fields} | {"client_id"}
    if lookup.entered_subject and (definition.grant_types_supported or lookup.entered_subject not in entered):
        yield "external_account.entered_subject", "one of the entered_fields, or client_id"
    if lookup.endpoint and bool(lookup.subject_path) == bool(lookup.entered_subject):
        yield "external_account.subject_path", "a dotted path, or else entered_subject"
    if lookup.endpoint and lookup.access_token_claim:
        yield "external_account.access_token_claim", "no endpoint beside it: then nothing is asked"
    if lookup.endpoint:
        return
    if bool(lookup.access_token_claim) == bool(lookup.entered_subject):
        yield "external_account", "endpoint, access_token_claim or entered_subject, one of them"
    if lookup.subject_path or lookup.name_path or lookup.body_ok or lookup.state_endpoint:
        yield "external_account.endpoint", "a URL, since it is said what to read in the answer"


def _company_choice(definition: ProviderDefinition, choice: CompanyChoice) -> Iterator[Complaint]:
    if "authorization_code" not in definition.grant_types_supported:
        yield "company_choice", "a provider with authorization_code"
    # A foreign host here would be handed an access token.
    if not choice.endpoint.startswith("{api_base_url}/") or variables(choice.endpoint) != {"api_base_url"}:
        yield "company_choice.endpoint", "a URL that begins with {api_base_url}, and no other variable"
    for key in ("id_path", "name_path"):
        if not getattr(choice, key):
            yield f"company_choice.{key}", "a dotted path"
    if not _NAME.fullmatch(choice.extra):
        yield "company_choice.extra", "a name of lower-case words joined by underscores"
