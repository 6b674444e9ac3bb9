from __future__ import annotations

import json

import pytest

from providers.errors import ClientRejected, ProviderError, ProviderUnavailable
from providers.messages import HttpResponse, Secret
from providers.protocol.revocation import build_revocation_request, process_response


def test_the_request_names_token_and_kind(definition, registration):
    request = build_revocation_request(
        definition, registration, "https://login.example/revoke", token=Secret("rt"), hint="refresh_token"
    )
    assert request.fields == (("token", "rt"), ("token_type_hint", "refresh_token"))
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.endpoint == "revocation"


def judge(definition, status: int, error: str = "", hint: str = "refresh_token") -> None:
    body = json.dumps({"error": error}).encode() if error else b"anything"
    process_response(definition, HttpResponse(status=status, body=body), hint=hint)


@pytest.mark.parametrize(
    ("status", "error", "hint"),
    [
        (200, "", "refresh_token"),
        (204, "", "refresh_token"),
        (400, "invalid_token", "refresh_token"),
        (400, "invalid_grant", "access_token"),
        (400, "unsupported_token_type", "access_token"),
    ],
)
def test_a_token_that_is_gone_is_a_success(definition, status, error, hint):
    judge(definition, status, error, hint)


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (401, "invalid_client", ClientRejected),
        (400, "unsupported_token_type", ClientRejected),
        (404, "", ClientRejected),
        (500, "invalid_grant", ProviderUnavailable),
        (503, "", ProviderUnavailable),
        (429, "", ProviderUnavailable),
    ],
)
def test_anything_else_is_not(definition, status, error, expected):
    with pytest.raises(ProviderError) as caught:
        judge(definition, status, error)
    assert type(caught.value) is expected
    assert caught.value.endpoint == "revocation"
