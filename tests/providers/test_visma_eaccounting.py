"""The facts of this one provider, as its own documents give them."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.errors import AuthorizationResponseInvalid, RightMissing
from providers.generic import OAuthProvider
from providers.messages import ClientRegistration, HttpResponse, Secret
from providers.protocol import external_account
from providers.registry import load_definitions


@pytest.fixture
def provider(outbound) -> OAuthProvider:
    return OAuthProvider(load_definitions()["visma-eaccounting"], outbound)


def registration(environment: str, *scopes: str) -> ClientRegistration:
    return ClientRegistration(
        provider_id="visma-eaccounting",
        environment=environment,
        client_id="c",
        client_secrets=(Secret("s"),),
        scopes=scopes,
    )


def query(provider: OAuthProvider, chosen: ClientRegistration) -> dict[str, list[str]]:
    request = provider.build_authorization_request(
        chosen, redirect_uri="https://broker.example/cb/1", state="s", code_verifier="v" * 43
    )
    return parse_qs(urlsplit(request.url).query)


def test_the_mandatory_scopes_are_always_sent_and_reading_is_the_default(provider):
    assert query(provider, registration("production"))["scope"] == [
        "ea:api offline_access ea:sales_readonly ea:purchase_readonly ea:accounting_readonly"
    ]
    chosen = registration("production", "ea:sales", "ea:api")
    assert query(provider, chosen)["scope"] == ["ea:api offline_access ea:sales"]


def test_the_company_is_chosen_anew_each_time(provider):
    sent = query(provider, registration("sandbox"))
    assert sent["prompt"] == ["select_account"]
    assert sent["acr_values"] == ["service:44643EB1-3F76-4C1C-A672-402AE8085934"]


def test_production_announces_iss_so_an_answer_without_it_is_refused(provider):
    with pytest.raises(AuthorizationResponseInvalid):
        provider.process_authorization_response(registration("production"), [("code", "c")])
    assert provider.process_authorization_response(registration("sandbox"), [("code", "c")]) == "c"


def test_a_rotated_refresh_token_is_dead_at_once(provider):
    traits = provider.definition.traits
    assert (traits.refresh_token_rotation, traits.grace_seconds, traits.reuse_kills_family) == (
        "always",
        0,
        True,
    )
    assert (traits.access_token_lifetime_default_seconds, traits.refresh_token_lifetime_days) == (3600, 730)


def test_support_gets_the_error_id_of_an_api_error(provider):
    body = {"ErrorCode": 4006, "DeveloperErrorMessage": "Missing scope", "ErrorId": "3fa7da17-eeb2-48f6"}
    definition = provider.definition
    with pytest.raises(RightMissing) as caught:
        external_account.process_response(
            definition,
            definition.external_account,
            HttpResponse(status=403, body=json.dumps(body).encode()),
            issuer="https://identity.example",
            entered={},
        )
    error = caught.value
    assert (error.error_id, error.error, error.description) == ("3fa7da17-eeb2-48f6", "4006", "Missing scope")
    assert "Connect again" in error.explanation


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (403, 4003, "right_missing"),
        (403, 4006, "scope_missing"),
        (403, 4011, "right_missing"),
        (429, 4010, "throttled"),
        (403, 4034, "client_rejected"),
        (400, 4000, "content"),
        (401, None, "credential_refused"),
    ],
)
def test_its_error_codes_say_whose_turn_it_is(provider, status, code, meaning):
    body = {"ErrorCode": code, "DeveloperErrorMessage": "Try again in 35 seconds.", "ErrorId": "3fa7da17-eeb2-48f6"}
    reading = provider.read_answer(HttpResponse(status=status, body=json.dumps(body).encode()))
    assert (reading.meaning, reading.error_id) == (meaning, "3fa7da17-eeb2-48f6")
    assert reading.retry_after == (35 if meaning == "throttled" else None)
