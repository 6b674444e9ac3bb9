"""Whose account a credential opens: by one call to the provider's API, by a claim, or as it was entered."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from providers.definition import Environment, ExternalAccountLookup, ProviderDefinition
from providers.definition.templates import fill
from providers.errors import ResponseMalformed, one_line
from providers.messages import ExternalAccount, HttpRequest, HttpResponse, Secret
from providers.protocol import api_answer
from providers.protocol.jwt_claims import claims_of
from providers.protocol.strict_json import parse_value, text_at

ENDPOINT = "external_account"
STATE_ENDPOINT = "account_state"
_SUBJECT_LIMIT = 255
_NAME_LIMIT = 200


def build_account_request(
    lookup: ExternalAccountLookup,
    environment: Environment,
    headers: Mapping[str, str],
    *,
    base_url: str,
    entered: Mapping[str, str],
) -> HttpRequest:
    """The request that asks for the account; `headers` carry the credential, entered what the URL may name."""
    url = _filled(lookup.endpoint, environment, base_url, entered)
    return HttpRequest(method=lookup.method, url=url, endpoint=ENDPOINT, headers=headers)


def build_state_request(
    lookup: ExternalAccountLookup,
    environment: Environment,
    headers: Mapping[str, str],
    *,
    base_url: str,
    entered: Mapping[str, str],
) -> HttpRequest:
    """The request that asks how the account stands; as `build_account_request`."""
    url = _filled(lookup.state_endpoint, environment, base_url, entered)
    return HttpRequest(method="GET", url=url, endpoint=STATE_ENDPOINT, headers=headers)


def process_state(definition: ProviderDefinition, response: HttpResponse) -> None:
    """Nothing when the account stands well. Raises: as `process_response`."""
    error = api_answer.error_for(definition, STATE_ENDPOINT, response)
    if error is not None:
        raise error


def _filled(template: str, environment: Environment, base_url: str, entered: Mapping[str, str]) -> str:
    values = {name: quote(value, safe="") for name, value in entered.items()}
    values |= {"api_base_url": base_url, "userinfo_endpoint": environment.userinfo_endpoint or ""}
    return fill(template, values)


def process_response(
    definition: ProviderDefinition,
    lookup: ExternalAccountLookup,
    response: HttpResponse,
    *,
    issuer: str,
    entered: Mapping[str, str],
) -> ExternalAccount:
    """The account; issuer and subject are its identity, never its name (OpenID Connect Core section 5.7).

    Raises: GrantRejected for a 401, RightMissing for a 403, AccountUnverified, ClientRejected for another 4xx,
            ProviderUnavailable, ResponseMalformed.
    """
    error = api_answer.error_for(definition, ENDPOINT, response)
    if error is not None:
        raise error
    value = parse_value(response.body)
    subject = text_at(value, lookup.subject_path) if lookup.subject_path else entered_subject(definition, entered)
    name = text_at(value, lookup.name_path) if lookup.name_path else ""
    return _account(definition, issuer, subject, name)


def without_asking(
    definition: ProviderDefinition,
    environment: Environment,
    *,
    issuer: str,
    access_token: Secret | None,
    entered: Mapping[str, str],
) -> ExternalAccount:
    """The account where the definition has no call for it: a claim of the access token, or what was entered.

    Raises: ResponseMalformed when the token is not of this issuer or lacks the claim.
    """
    lookup = definition.external_account
    if lookup is None or not lookup.access_token_claim or access_token is None:
        return _account(definition, issuer, entered_subject(definition, entered), "")
    claims = claims_of(access_token) or {}
    if environment.issuer and claims.get("iss", environment.issuer) != environment.issuer:
        raise _malformed(definition, "an access token of another issuer")
    claim = claims.get(lookup.access_token_claim)
    return _account(definition, issuer, claim if isinstance(claim, str) else "", "")


def entered_subject(definition: ProviderDefinition, entered: Mapping[str, str]) -> str:
    """The entered value that names the account.

    Shape:  entered has `client_id` as well, for accounts that are the registration's own.
    """
    lookup = definition.external_account
    named = entered.get(lookup.entered_subject, "") if lookup and lookup.entered_subject else ""
    if named:
        return named
    # Filled in another way: what names the account there is whatever is no secret.
    plain = [field.name for field in definition.entered_fields if not field.secret]
    return next((entered[name] for name in plain if entered.get(name)), "")


def _account(definition: ProviderDefinition, issuer: str, subject: str, name: str) -> ExternalAccount:
    subject = subject.strip()
    if not subject or len(subject) > _SUBJECT_LIMIT or not subject.isprintable():
        raise _malformed(definition, "no usable subject")
    return ExternalAccount(issuer=issuer, subject=subject, name=one_line(name, _NAME_LIMIT))


def _malformed(definition: ProviderDefinition, description: str) -> ResponseMalformed:
    return ResponseMalformed(provider_id=definition.id, endpoint=ENDPOINT, description=description)
