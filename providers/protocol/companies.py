"""The companies that one token reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.definition import CompanyChoice, ProviderDefinition
from providers.errors import ResponseMalformed, RightMissing, one_line
from providers.messages import Company, HttpRequest, HttpResponse
from providers.protocol import api_answer
from providers.protocol.strict_json import parse_value, text_at, value_at

ENDPOINT = "companies"
_ID_LIMIT = 255
_NAME_LIMIT = 200


def build_companies_request(choice: CompanyChoice, headers: Mapping[str, str], *, base_url: str) -> HttpRequest:
    """The request that lists the companies; `headers` carry the access token."""
    url = choice.endpoint.replace("{api_base_url}", base_url)
    return HttpRequest(method="GET", url=url, endpoint=ENDPOINT, headers=headers)


def process_response(
    definition: ProviderDefinition, choice: CompanyChoice, response: HttpResponse
) -> tuple[Company, ...]:
    """The companies, at least one, in the order of the answer.

    Raises: GrantRejected for a 401, RightMissing when there is none, ClientRejected, ProviderUnavailable,
            ResponseMalformed.
    """
    error = api_answer.error_for(definition, ENDPOINT, response)
    if error is not None:
        raise error
    listed = value_at(parse_value(response.body), choice.list_path)
    companies = [_company(choice, entry) for entry in listed] if isinstance(listed, list) else [None]
    if None in companies:
        raise ResponseMalformed(
            provider_id=definition.id, endpoint=ENDPOINT, status=response.status, description="no list of companies"
        )
    found = {company.id: company for company in companies if company is not None}
    if not found:
        raise RightMissing(provider_id=definition.id, endpoint=ENDPOINT, status=response.status, error="no_company")
    return tuple(found.values())


def _company(choice: CompanyChoice, entry: Any) -> Company | None:
    company_id = text_at(entry, choice.id_path).strip()
    if not company_id or len(company_id) > _ID_LIMIT or not company_id.isprintable():
        return None
    return Company(id=company_id, name=one_line(text_at(entry, choice.name_path), _NAME_LIMIT) or company_id)
