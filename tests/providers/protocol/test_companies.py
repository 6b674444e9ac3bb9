from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from providers.definition import CompanyChoice
from providers.errors import GrantRejected, ProviderError, ProviderUnavailable, ResponseMalformed, RightMissing
from providers.messages import Company, HttpResponse
from providers.protocol.companies import build_companies_request, process_response

CHOICE = CompanyChoice(endpoint="{api_base_url}/contexts", id_path="id", name_path="info.name", list_path="found")


def judge(definition, body: object, status: int = 200, **changes: str):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return process_response(definition, replace(CHOICE, **changes), HttpResponse(status=status, body=raw))


def test_the_request_goes_to_the_api_with_the_token():
    request = build_companies_request(CHOICE, {"Authorization": "Bearer a"}, base_url="https://api.example/v1")
    assert (request.method, request.url) == ("GET", "https://api.example/v1/contexts")
    assert dict(request.headers) == {"Authorization": "Bearer a"}


def test_each_company_once_in_the_order_of_the_answer(definition):
    entries = [{"id": 2, "info": {"name": "B\r\nOy"}}, {"id": "1"}, {"id": 2, "info": {"name": "B\r\nOy"}}]
    expected = (Company(id="2", name="B Oy"), Company(id="1", name="1"))
    assert judge(definition, {"found": entries}) == expected
    assert judge(definition, entries, list_path="") == expected


def test_none_at_all_is_a_right_that_is_missing(definition):
    with pytest.raises(RightMissing) as caught:
        judge(definition, {"found": []})
    assert caught.value.error == "no_company"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 401, GrantRejected),
        (b"", 503, ProviderUnavailable),
        (b"<html>", 200, ResponseMalformed),
        ({"found": {}}, 200, ResponseMalformed),
        ({"found": [{"id": ""}]}, 200, ResponseMalformed),
        ({"found": [{"id": "a\nb"}]}, 200, ResponseMalformed),
        ({"found": [{"id": "a" * 256}]}, 200, ResponseMalformed),
        ({"found": [7]}, 200, ResponseMalformed),
    ],
)
def test_whose_turn_it_is(definition, body, status, kind):
    with pytest.raises(ProviderError) as caught:
        judge(definition, body, status)
    assert type(caught.value) is kind
