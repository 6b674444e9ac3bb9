from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from providers.definition import Quirks, Traits
from providers.errors import (
    ClientRejected,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    ResponseMalformed,
)
from providers.messages import HttpResponse, Secret
from providers.protocol.token_endpoint import build_code_request, build_refresh_request, process_response

URL = "https://login.example/token"
GOOD = {"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rt-2"}
TOKEN = "canary" * 8


def response(body: object, status: int = 200, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in GOOD.items() if key != name}


class TestRequests:
    def test_a_code_request_has_the_verifier_and_one_client_authentication(self, definition, registration):
        request = build_code_request(
            definition, registration, URL, code="c", code_verifier="v", redirect_uri="https://b.example/cb"
        )
        assert request.fields == (
            ("grant_type", "authorization_code"),
            ("code", "c"),
            ("redirect_uri", "https://b.example/cb"),
            ("code_verifier", "v"),
        )
        assert list(request.headers) == ["Authorization"]
        assert (request.method, request.url, request.endpoint) == ("POST", URL, "token")

    def test_a_refresh_request_asks_for_nothing_else(self, definition, registration):
        request = build_refresh_request(definition, registration, URL, refresh_token=Secret("rt"))
        assert request.fields == (("grant_type", "refresh_token"), ("refresh_token", "rt"))

    def test_extra_parameters_go_with_both(self, definition, registration):
        quirky = replace(definition, quirks=Quirks(token_request_extra_parameters={"audience": "x"}))
        request = build_refresh_request(quirky, registration, URL, refresh_token=Secret("rt"))
        assert request.fields[-1] == ("audience", "x")


class TestTokens:
    def test_a_plain_answer(self, definition):
        tokens = process_response(definition, response({**GOOD, "scope": "api read"}))
        assert tokens.access_token == Secret("at-1")
        assert tokens.refresh_token == Secret("rt-2")
        assert (tokens.token_type, tokens.expires_in, tokens.scope) == ("Bearer", 3600, ("api", "read"))

    @pytest.mark.parametrize("value", ["bearer", "BEARER", "Bearer"])
    def test_the_token_type_is_read_in_any_case(self, definition, value):
        assert process_response(definition, response({**GOOD, "token_type": value})).token_type == "Bearer"

    @pytest.mark.parametrize("value", ["DPoP", "mac", "", None, 1, ["Bearer"]])
    def test_a_type_we_cannot_use_is_refused(self, definition, value):
        with pytest.raises(ResponseMalformed):
            process_response(definition, response({**GOOD, "token_type": value}))

    @pytest.mark.parametrize("value", [None, ""])
    def test_no_refresh_token_is_none(self, definition, value):
        assert process_response(definition, response({**GOOD, "refresh_token": value})).refresh_token is None
        assert process_response(definition, response(without("refresh_token"))).refresh_token is None

    @pytest.mark.parametrize("value", [None, "", 7, ["a"], {}, "a b", "a\r\nX: y", "å", "\ud800"])
    def test_an_access_token_that_cannot_go_into_a_header_is_refused(self, definition, value):
        with pytest.raises(ResponseMalformed):
            process_response(definition, response({**GOOD, "access_token": value}))

    @pytest.mark.parametrize("value", [7, ["a"], "a\x00b", "å", True])
    def test_a_refresh_token_that_is_none_is_refused_rather_than_lost(self, definition, value):
        with pytest.raises(ResponseMalformed):
            process_response(definition, response({**GOOD, "refresh_token": value}))

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("api", ("api",)),
            ("api  api read", ("api", "read")),
            (["api", "read", 3], ("api", "read")),
            ("", None),
            (None, None),
            (5, None),
            ([], None),
        ],
    )
    def test_scopes_are_read_as_they_come(self, definition, value, expected):
        assert process_response(definition, response({**GOOD, "scope": value})).scope == expected

    def test_extras_keep_plain_facts_and_nothing_that_could_be_a_secret(self, definition):
        more = {
            "realm": "r-1",
            "region": 4,
            "trial": False,
            "id_token": TOKEN,
            "bot_access_token": TOKEN,
            "api_key": TOKEN,
            "nested": {"a": 1},
            "list": [1],
            "nothing": None,
            "broken": "a\x00b",
            "huge": 10**40,
        }
        tokens = process_response(definition, response({**GOOD, **more}))
        assert dict(tokens.extras) == {"realm": "r-1", "region": 4, "trial": False}
        assert tokens.id_token == Secret(TOKEN)

    def test_a_broken_id_token_does_not_cost_the_tokens(self, definition):
        tokens = process_response(definition, response({**GOOD, "id_token": False}))
        assert tokens.id_token is None
        assert tokens.access_token == Secret("at-1")


class TestLifetime:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (3600, 3600),
            ("3600", 3600),
            (3600.9, 3600),
            (1, 1),
            (5, 5),
            (86400, 86400),
            (90000, 86400),
            (5184000, 86400),
            (0, 1800),
            (-5, 1800),
            (3600000 * 1000, 1800),
            (10**12, 1800),
            (10**30, 1800),
            ("soon", 1800),
            ("", 1800),
            ("9" * 400, 1800),
            (None, 1800),
            (True, 1800),
            ([3600], 1800),
            ({}, 1800),
        ],
    )
    def test_is_believed_clamped_or_replaced_by_the_usual_one(self, definition, value, expected):
        assert process_response(definition, response({**GOOD, "expires_in": value})).expires_in == expected

    def test_when_absent_is_the_usual_one_and_never_endless(self, definition):
        assert process_response(definition, response(without("expires_in"))).expires_in == 1800

    def test_infinity_is_not_believed(self, definition):
        body = json.dumps(GOOD).replace("3600", "1e999").encode()
        assert process_response(definition, response(body)).expires_in == 1800

    def test_is_endless_only_where_the_definition_says_so(self, definition):
        endless = replace(definition, traits=Traits(access_token_never_expires=True))
        assert process_response(endless, response(without("expires_in"))).expires_in is None
        assert process_response(endless, response(GOOD)).expires_in == 3600


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_invalid_grant_is_the_customers_turn(self, definition, status):
        body = {"error": "invalid_grant", "error_description": f"revoked {TOKEN}", "Ref": {"Id": "id-9"}}
        with pytest.raises(GrantRejected) as caught:
            process_response(definition, response(body, status))
        error = caught.value
        assert (error.status, error.error, error.error_id) == (status, "invalid_grant", "id-9")
        assert error.description == "revoked [redacted]"
        assert (error.provider_id, error.endpoint) == ("plain", "token")

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (401, {"error": "invalid_client"}),
            (400, {"error": "invalid_client"}),
            (200, {"error": "invalid_client"}),
            (400, {"error": "unauthorized_client"}),
            (400, {"error": "invalid_scope"}),
            (400, {"error": "unsupported_grant_type"}),
            (400, {"error": "invalid_request"}),
            (400, {"error": "something_new"}),
            (400, {"error": 1107}),
            (400, {"Code": 4005, "Text": "no"}),
            (401, b"<html>"),
            (403, b"<html>"),
            (404, b"<html>"),
            (405, b""),
        ],
    )
    def test_what_is_wrong_with_us_is_staffs_turn(self, definition, status, body):
        with pytest.raises(ClientRejected):
            process_response(definition, response(body, status))

    def test_a_vendors_own_error_is_kept_for_support(self, definition):
        body = {"Code": 4005, "Text": "not authorised", "Ref": {"Id": "3fa7da17-eeb2-48f6-997d-0be158f4cba4"}}
        with pytest.raises(ClientRejected) as caught:
            process_response(definition, response(body, 400))
        assert caught.value.description == "4005 not authorised"
        assert caught.value.error_id == "3fa7da17-eeb2-48f6-997d-0be158f4cba4"

    @pytest.mark.parametrize(
        ("status", "body", "uncertain"),
        [
            (500, b"<html>", True),
            (500, {"error": "server_error"}, False),
            (500, {"error": "invalid_grant"}, False),
            (502, b"", True),
            (502, {"error": "server_error"}, True),
            (503, b"", True),
            (503, {"error": "temporarily_unavailable"}, False),
            (504, {"error": "x"}, True),
            (429, b"", False),
            (429, {"error": "invalid_grant"}, False),
            (408, b"", False),
            (400, {"error": "temporarily_unavailable"}, False),
            (200, {"error": "server_error"}, False),
        ],
    )
    def test_an_outage_is_nobodys_turn_and_tells_whether_it_acted(self, definition, status, body, uncertain):
        with pytest.raises(ProviderUnavailable) as caught:
            process_response(definition, response(body, status))
        assert caught.value.uncertain is uncertain
        assert caught.value.sent
        assert caught.value.throttled is (status == 429)

    def test_503_with_retry_after_did_not_act(self, definition):
        with pytest.raises(ProviderUnavailable) as caught:
            process_response(definition, response(b"", 503, retry_after="7"))
        assert (caught.value.retry_after, caught.value.uncertain) == (7.0, False)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b""),
            (200, b"<html>ok</html>"),
            (200, b"access_token=a&token_type=bearer"),
            (200, []),
            (200, {}),
            (200, {"error": "something_new"}),
            (200, {"error": "invalid_grant"}),
            (200, {**GOOD, "error": "invalid_grant"}),
            (200, b'{"access_token": "a", "access_token": "b", "token_type": "Bearer"}'),
            (204, b""),
            (301, b""),
            (302, {"access_token": "a", "token_type": "Bearer"}),
            (400, b"<html>blocked</html>"),
        ],
    )
    def test_what_is_neither_is_malformed_and_uncertain(self, definition, status, body):
        with pytest.raises(ResponseMalformed) as caught:
            process_response(definition, response(body, status))
        assert caught.value.uncertain

    def test_no_body_shows_in_any_error(self, definition):
        for status in (200, 302, 400, 401, 500, 503):
            for body in (
                TOKEN.encode(),
                {"access_token": TOKEN, "error": TOKEN},
                {"error_description": TOKEN},
            ):
                with pytest.raises(ProviderError) as caught:
                    process_response(definition, response(body, status))
                assert "canary" not in repr(caught.value) + repr(vars(caught.value))
