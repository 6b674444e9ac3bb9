from __future__ import annotations

import json

import pytest

from providers.errors import ClientRejected, ProviderError, ProviderUnavailable, ResponseMalformed
from providers.messages import ExternalAccount, HttpResponse
from providers.protocol.external_account import build_account_request, process_response


def test_the_request_goes_to_the_environments_api(definition, environment):
    request = build_account_request(definition.external_account, environment, {"Authorization": "Bearer x"})
    assert (request.method, request.url) == ("GET", "https://api.example/v1/me")


@pytest.fixture
def judge(definition, environment):
    def judge(body: object, status: int = 200) -> ExternalAccount:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return process_response(
            definition, definition.external_account, environment, HttpResponse(status=status, body=raw)
        )

    return judge


def test_the_account_is_issuer_subject_and_a_name_for_people(judge):
    account = judge({"company": {"number": 5569, "name": "Tilitoimistopalveluyhtiö\r\nOy\u202e"}})
    assert account == ExternalAccount(
        issuer="https://login.example", subject="5569", name="Tilitoimistopalveluyhtiö Oy"
    )


def test_a_missing_name_is_no_reason_to_fail(judge):
    assert judge({"company": {"number": "5569"}}).name == ""


@pytest.mark.parametrize("number", [None, "", "  ", True, [], {"a": 1}, "x" * 256, "a\x00b"])
def test_an_account_without_a_usable_subject_is_malformed(judge, number):
    with pytest.raises(ResponseMalformed):
        judge({"company": {"number": number}})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b"", ClientRejected),
        (403, {"Code": 4006}, ClientRejected),
        (400, {"error": "invalid_grant"}, ClientRejected),
        (400, b"<html>", ClientRejected),
        (200, b"<html>", ResponseMalformed),
        (302, b"", ResponseMalformed),
        (500, b"", ProviderUnavailable),
        (429, {"Code": 4010}, ProviderUnavailable),
    ],
)
def test_an_api_never_says_that_a_grant_is_dead(judge, status, body, expected):
    with pytest.raises(ProviderError) as caught:
        judge(body, status)
    assert type(caught.value) is expected
