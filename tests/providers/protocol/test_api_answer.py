from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from providers.definition import ExternalAccountLookup, KnownRefusal
from providers.errors import (
    AccountUnverified,
    ClientRejected,
    GrantRejected,
    ProviderUnavailable,
    ResponseMalformed,
    RightMissing,
)
from providers.messages import HttpResponse
from providers.protocol.api_answer import error_for, read_answer

TOKEN = "canary" * 8
REFUSALS = (
    KnownRefusal(means="account_unverified", error="Unauthorized", contains="unverified", text="Wait."),
    KnownRefusal(means="right_missing", error="4005", fields=("client_id",), text="Ask for the right."),
    KnownRefusal(means="client_rejected", contains="VENDOR API KEY DISABLED"),
    KnownRefusal(means="throttled", error="4010", text="Slow down."),
    KnownRefusal(means="credential_refused", error="half", statuses=(200,)),
)


def response(body: object = b"", status: int = 200, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


@pytest.fixture
def knowing(definition):
    return replace(definition, refusals=REFUSALS)


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "meaning"),
        [
            (200, "ok"),
            (204, "ok"),
            (302, "content"),
            (400, "content"),
            (401, "credential_refused"),
            (403, "content"),
            (404, "content"),
            (408, "unavailable"),
            (422, "content"),
            (429, "throttled"),
            (500, "unavailable"),
            (503, "unavailable"),
        ],
    )
    def test_says_it_where_nothing_else_does(self, definition, status, meaning):
        assert read_answer(definition, response(status=status)).meaning == meaning

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_scope_that_is_missing_has_a_word_of_its_own(self, definition, status):
        challenge = 'Bearer realm="x", error="insufficient_scope", scope="a"'
        assert read_answer(definition, response(status=status, www_authenticate=challenge)).meaning == "scope_missing"
        challenge = 'Bearer error="invalid_token", error_description="error_insufficient"'
        assert read_answer(definition, response(status=status, www_authenticate=challenge)).meaning != "scope_missing"


class TestKnownRefusals:
    @pytest.mark.parametrize(
        ("body", "status", "meaning"),
        [
            ({"Code": "4005"}, 400, "right_missing"),
            ({"Code": 4005}, 401, "right_missing"),
            ({"error": "UNAUTHORIZED", "Text": "Company is Unverified"}, 401, "account_unverified"),
            ({"error": "unauthorized", "Text": "bad token"}, 401, "credential_refused"),
            (b"ERROR: vendor api key disabled", 400, "client_rejected"),
            ({"Code": "4010"}, 503, "throttled"),
            ({"Code": "4005"}, 500, "unavailable"),
            ({"Code": "4005"}, 429, "throttled"),
            ({"Code": "4005"}, 200, "ok"),
            ({"Code": "half"}, 200, "credential_refused"),
            ({"Code": "half"}, 400, "content"),
        ],
    )
    def test_win_over_the_status_but_not_over_an_outage(self, knowing, body, status, meaning):
        assert read_answer(knowing, response(body, status)).meaning == meaning

    def test_explain_themselves(self, knowing):
        assert read_answer(knowing, response({"Code": "4005"}, 400)).explanation == "Ask for the right."

    @pytest.mark.parametrize(
        ("body", "meaning"),
        [(b"OK 17", "ok"), (b" OK", "ok"), (b"ERROR: VENDOR API KEY DISABLED", "client_rejected"), (b"?", "content")],
    )
    def test_a_status_that_says_nothing(self, knowing, body, meaning):
        lookup = ExternalAccountLookup(endpoint="{api_base_url}/x", entered_subject="client_id", body_ok=("OK",))
        assert read_answer(replace(knowing, external_account=lookup), response(body)).meaning == meaning


class TestFacts:
    def test_of_the_vendors_own_body(self, definition):
        body = {"Code": 4009, "Text": f"no \u0000 {TOKEN}", "Ref": {"Id": "3fa7da17-eeb2-48f6-997d-0be158f4cba4"}}
        reading = read_answer(definition, response(body, 400))
        assert (reading.error, reading.error_id) == ("4009", "3fa7da17-eeb2-48f6-997d-0be158f4cba4")
        assert reading.description == "no   [redacted]"
        assert TOKEN not in repr(reading)

    def test_a_code_or_an_id_that_could_be_a_token_is_left_out(self, definition):
        reading = read_answer(definition, response({"Code": TOKEN, "Ref": {"Id": "a b"}}, 400))
        assert (reading.error, reading.error_id) == (None, None)

    @pytest.mark.parametrize(("body", "text"), [(b"ERROR: no", "ERROR: no"), (b"<html>no", ""), (b"[1]", "")])
    def test_a_line_of_text_is_a_description_and_a_page_is_not(self, definition, body, text):
        assert read_answer(definition, response(body, 400)).description == text

    def test_rate_limit_headers_are_passed_on_and_no_others(self, definition):
        given_ = {"x_ratelimit_remaining": "0", "x_rate_limit_reset": "9\r\n", "set_cookie": "a", "x_thing": "b"}
        reading = read_answer(definition, response(status=404, **given_))
        assert reading.rate_limit == {"x-ratelimit-remaining": "0", "x-rate-limit-reset": "9"}
        many = {f"x_ratelimit_{'a' * n}": "1" for n in range(1, 40)}
        assert len(read_answer(definition, response(**many)).rate_limit) == 12


class TestWait:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry_after": "7", "x_ratelimit_reset": "60"}, 7),
            ({"x_ratelimit_reset": "60"}, 60),
            ({"x_rate_limit_reset": "5"}, 5),
            ({"x_ratelimit_reset": "999999"}, 86400),
            ({"x_ratelimit_reset": "soon"}, 35),
            ({}, 35),
        ],
    )
    def test_is_told_in_several_ways(self, definition, headers, seconds):
        body = {"Text": "Too many requests. Try again in 35 seconds."}
        assert read_answer(definition, response(body, 429, **headers)).retry_after == seconds

    def test_an_instant_is_the_time_until_then(self, definition):
        reading = read_answer(definition, response(status=429, x_ratelimit_reset=str(int(time.time()) + 90)))
        assert 80 < (reading.retry_after or 0) <= 90

    def test_nobody_waits_without_being_told(self, definition):
        assert read_answer(definition, response({"Text": "35 seconds"}, 400)).retry_after is None
        assert read_answer(definition, response(status=200, x_ratelimit_reset="60")).retry_after is None
        assert read_answer(definition, response(status=429)).retry_after is None


class TestErrorFor:
    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [
            (b"", 401, GrantRejected),
            (b"", 403, RightMissing),
            (b"", 404, ClientRejected),
            (b"", 302, ResponseMalformed),
            (b"", 429, ProviderUnavailable),
            (b"", 500, ProviderUnavailable),
            ({"Code": "4005"}, 401, RightMissing),
            ({"error": "unauthorized", "Text": "unverified"}, 401, AccountUnverified),
            (b"VENDOR API KEY DISABLED", 401, ClientRejected),
            ({"Code": "half"}, 200, GrantRejected),
        ],
    )
    def test_a_call_of_our_own_says_whose_turn_it_is(self, knowing, body, status, kind):
        error = error_for(knowing, "account", response(body, status))
        assert type(error) is kind
        assert error.endpoint == "account"

    def test_it_has_the_catalogues_fields_and_words(self, knowing):
        error = error_for(knowing, "account", response({"Code": "4005"}, 400))
        assert error is not None
        assert (error.fields, error.explanation) == (("client_id",), "Ask for the right.")

    def test_success_is_none(self, knowing):
        assert error_for(knowing, "account", response(b"")) is None

    @pytest.mark.parametrize(("status", "uncertain"), [(429, False), (500, True)])
    def test_being_told_to_wait_is_being_told_that_nothing_was_done(self, definition, status, uncertain):
        error = error_for(definition, "account", response(status=status))
        assert isinstance(error, ProviderUnavailable)
        assert error.uncertain is uncertain


BODIES = st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
HEADERS = st.sampled_from(["retry-after", "x-ratelimit-reset", "www-authenticate"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | BODIES, st.integers(100, 599), st.dictionaries(HEADERS, st.text(max_size=20)))
def test_any_bytes_are_an_answer(knowing, body, status, headers):
    assert read_answer(knowing, HttpResponse(status=status, headers=headers, body=body)).meaning
