"""Whose account a credential opens, by one call to the provider's API."""

from __future__ import annotations

from providers.definition import Environment, ExternalAccountLookup, ProviderDefinition
from providers.errors import ClientRejected, ResponseMalformed, one_line
from providers.messages import ExternalAccount, HttpRequest, HttpResponse
from providers.protocol.refusals import refusal
from providers.protocol.strict_json import parse_object, text_at

ENDPOINT = "external_account"
_SUBJECT_LIMIT = 255
_NAME_LIMIT = 200


def build_account_request(
    lookup: ExternalAccountLookup, environment: Environment, headers: dict[str, str]
) -> HttpRequest:
    """The request that asks for the account; `headers` carry the access token."""
    url = lookup.endpoint.format(
        api_base_url=environment.api_base_url, userinfo_endpoint=environment.userinfo_endpoint or ""
    )
    return HttpRequest(method="GET", url=url, endpoint=ENDPOINT, headers=headers)


def process_response(
    definition: ProviderDefinition,
    lookup: ExternalAccountLookup,
    environment: Environment,
    response: HttpResponse,
) -> ExternalAccount:
    """The account; issuer and subject are its identity, never its name (OpenID Connect Core section 5.7).

    Raises: ClientRejected for any 4xx, ProviderUnavailable, ResponseMalformed.
    """
    members = parse_object(response.body)
    if response.status != 200:
        raise _refusal(definition, response, members)
    subject = text_at(members, lookup.subject_path).strip()
    if not subject or len(subject) > _SUBJECT_LIMIT or not subject.isprintable():
        raise ResponseMalformed(
            provider_id=definition.id, endpoint=ENDPOINT, status=200, description="no usable subject"
        )
    name = text_at(members, lookup.name_path) if lookup.name_path else ""
    return ExternalAccount(issuer=environment.issuer, subject=subject, name=one_line(name, _NAME_LIMIT))


def _refusal(definition: ProviderDefinition, response: HttpResponse, members: dict[str, object] | None) -> Exception:
    error = refusal(definition, ENDPOINT, response, members)
    if 400 <= response.status < 500 and not isinstance(error, ClientRejected) and response.status != 429:
        # An API's body cannot say that a grant is dead; only the token endpoint can.
        return ClientRejected(
            provider_id=definition.id,
            endpoint=ENDPOINT,
            status=response.status,
            description=error.description,
            error_id=error.error_id,
        )
    return error
