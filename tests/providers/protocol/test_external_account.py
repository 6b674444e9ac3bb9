from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from providers.definition import EnteredField, ExternalAccountLookup, KnownRefusal
from providers.errors import (
    ClientRejected,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    ResponseMalformed,
    RightMissing,
)
from providers.messages import ExternalAccount, HttpResponse, Secret
from providers.protocol.external_account import build_account_request, process_response, without_asking
from tests.providers.tokens import jwt

ISSUER = "https://login.example"


class TestRequest:
    def test_goes_to_the_api_of_the_registration(self, definition, environment):
        request = build_account_request(
            definition.external_account,
            environment,
            {"Authorization": "Bearer x"},
            base_url="https://own.example",
            entered={},
        )
        assert (request.method, request.url) == ("GET", "https://own.example/me")

    def test_what_was_entered_is_escaped(self, environment):
        lookup = ExternalAccountLookup(endpoint="{api_base_url}/of/{company}", entered_subject="company", method="POST")
        request = build_account_request(lookup, environment, {}, base_url="https://a", entered={"company": "../x?y"})
        assert (request.method, request.url) == ("POST", "https://a/of/..%2Fx%3Fy")


@pytest.fixture
def judge(definition):
    def judge(body: object, status: int = 200, **changes: object) -> ExternalAccount:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        changed = replace(definition, **changes)
        response = HttpResponse(status=status, body=raw)
        return process_response(changed, changed.external_account, response, issuer=ISSUER, entered={"company": "c-1"})

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
        (401, b"", GrantRejected),
        (403, {"Code": 4006}, RightMissing),
        (400, {"error": "invalid_grant"}, ClientRejected),
        (400, b"<html>", ClientRejected),
        (200, b"<html>", ResponseMalformed),
        (302, b"", ResponseMalformed),
        (500, b"", ProviderUnavailable),
        (429, {"Code": 4010}, ProviderUnavailable),
    ],
)
def test_whose_turn_it_is(judge, status, body, expected):
    with pytest.raises(ProviderError) as caught:
        judge(body, status)
    assert type(caught.value) is expected


def test_an_answer_that_is_a_list_has_its_entries_by_number(judge):
    lookup = ExternalAccountLookup(endpoint="{api_base_url}/me", subject_path="1.id", name_path="1.name")
    account = judge([{"id": "a"}, {"id": "b", "name": "B"}], external_account=lookup)
    assert (account.subject, account.name) == ("b", "B")


def test_the_subject_may_be_what_was_entered(judge):
    lookup = ExternalAccountLookup(endpoint="{api_base_url}/me", entered_subject="company", body_ok=("OK",))
    assert judge(b"OK 1", external_account=lookup).subject == "c-1"


def test_a_known_refusal_says_what_to_do(judge):
    known = KnownRefusal(means="account_unverified", error="4009", fields=("company",), text="Wait for it.")
    with pytest.raises(ProviderError) as caught:
        judge({"Code": 4009}, 403, refusals=(known,))
    assert (type(caught.value).__name__, caught.value.fields, caught.value.explanation) == (
        "AccountUnverified",
        ("company",),
        "Wait for it.",
    )


class TestWithoutAsking:
    @pytest.fixture
    def ask(self, definition, environment):
        def ask(token: str | None, entered: dict[str, str] | None = None, **lookup: str) -> ExternalAccount:
            fields = (
                EnteredField(name="company", label="Company", way="account"),
                EnteredField(name="password", label="Password", way="login", secret=True),
                EnteredField(name="user", label="User", way="login"),
            )
            changed = replace(definition, external_account=ExternalAccountLookup(**lookup), entered_fields=fields)
            return without_asking(
                changed,
                environment,
                issuer=ISSUER,
                access_token=Secret(token) if token else None,
                entered=entered or {},
            )

        return ask

    def test_a_claim_of_the_access_token_is_the_subject(self, ask):
        account = ask(jwt({"iss": ISSUER, "tenant_id": "t-1"}), access_token_claim="tenant_id")
        assert account == ExternalAccount(issuer=ISSUER, subject="t-1")
        assert ask(jwt({"tenant_id": "t-1"}), access_token_claim="tenant_id").subject == "t-1"

    @pytest.mark.parametrize(
        "token",
        [
            "opaque",
            "a.b.c",
            "a.b",
            jwt({"iss": "https://evil.example", "tenant_id": "t-1"}),
            jwt({"iss": None, "tenant_id": "t-1"}),
            jwt({"iss": ISSUER}),
            jwt({"tenant_id": 7}),
            jwt({"tenant_id": ""}),
            jwt({"tenant_id": "a\x00b"}),
        ],
    )
    def test_a_token_of_somebody_else_or_without_the_claim_is_malformed(self, ask, token):
        with pytest.raises(ResponseMalformed):
            ask(token, access_token_claim="tenant_id")

    def test_what_was_entered_is_the_subject(self, ask):
        assert ask(None, {"company": "c-1"}, entered_subject="company").subject == "c-1"
        assert ask(None, {"client_id": "us"}, entered_subject="client_id").subject == "us"

    def test_filled_in_another_way_it_is_what_is_no_secret(self, ask):
        assert ask(None, {"user": "u-1", "password": "p"}, entered_subject="company").subject == "u-1"
