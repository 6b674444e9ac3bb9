from __future__ import annotations

import pytest

from providers import errors

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


class TestRedact:
    def test_removes_what_looks_like_a_token(self):
        assert errors.redact(f"the token {TOKEN} is bad") == "the token [redacted] is bad"

    def test_leaves_words(self):
        assert errors.redact("refresh token expired or revoked") == "refresh token expired or revoked"

    def test_removes_control_and_direction_characters(self):
        assert errors.redact("a\r\nFAKE LOG\x1b[31m\u202eb") == "a FAKE LOG [31m b"

    def test_a_token_across_the_cut_does_not_show(self):
        text = errors.redact("word " * 57 + TOKEN)
        assert len(text) <= errors.DESCRIPTION_LIMIT
        assert TOKEN[:5] not in text


class TestProviderError:
    def test_says_where_and_what_without_secrets(self):
        error = errors.GrantRejected(
            provider_id="plain", endpoint="token", status=400, error="invalid_grant", description=f"x {TOKEN}"
        )
        assert str(error) == "plain token: status 400: error invalid_grant: x [redacted]"
        assert TOKEN not in repr(error)
        assert TOKEN not in repr(vars(error))

    @pytest.mark.parametrize("code", [TOKEN, "a b\nc", "1" * 20, ""])
    def test_a_code_that_is_none_is_dropped(self, code):
        assert errors.ProviderError(error=code).error is None

    @pytest.mark.parametrize("code", ["invalid_grant", "1107", "unsupported_response_type"])
    def test_a_code_is_kept(self, code):
        assert errors.ProviderError(error=code).error == code

    def test_the_vendors_id_is_kept_when_it_looks_like_one(self):
        assert errors.ProviderError(error_id="3fa7da17-eeb2-48f6").error_id == "3fa7da17-eeb2-48f6"
        assert errors.ProviderError(error_id="<script>").error_id is None


class TestUncertain:
    def test_only_unknown_outcomes_are(self):
        assert errors.ProviderUnavailable(sent=True).uncertain
        assert errors.ResponseMalformed().uncertain
        assert not errors.ProviderUnavailable(sent=False).uncertain
        assert not errors.ProviderUnavailable(sent=True, processed=False).uncertain
        assert not errors.GrantRejected().uncertain
        assert not errors.ClientRejected().uncertain


class TestRequestRefused:
    def test_says_where_what_and_what_next(self):
        error = errors.RequestRefused(
            problem="backslash", field="url", position=7, expected="a URL without it", provider_id="plain"
        )
        assert str(error) == "plain: url at 7: backslash: a URL without it"
        assert str(errors.RequestRefused(problem="missing", field="key")) == "key: missing"
        assert not error.uncertain


def test_an_unknown_provider_is_a_key_error_that_reads_well():
    error = errors.UnknownProvider("nope")
    assert isinstance(error, KeyError)
    assert str(error) == "no provider 'nope' in the catalogue"
