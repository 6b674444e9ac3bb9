"""Each quirk, off and on; that every quirk is here is checked at the end."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from providers.definition import Quirks
from providers.protocol import quirks as q

PLAIN = Quirks()


def test_scope_separator():
    comma = Quirks(scope_separator=",")
    assert (q.joined_scopes(PLAIN, ("a", "b")), q.joined_scopes(comma, ("a", "b"))) == ("a b", "a,b")
    assert (q.split_scopes(PLAIN, "a,b c"), q.split_scopes(comma, "a,b c")) == (("a,b", "c"), ("a", "b", "c"))


def test_token_request_extra_parameters():
    extra = Quirks(token_request_extra_parameters={"x": "1"})
    assert q.with_extra_token_parameters(PLAIN, (("a", "b"),)) == (("a", "b"),)
    assert q.with_extra_token_parameters(extra, (("a", "b"),)) == (("a", "b"), ("x", "1"))


def test_basic_auth_unencoded():
    assert q.basic_credentials(PLAIN, "a:b", "c d") == "a%3Ab:c+d"
    assert q.basic_credentials(Quirks(basic_auth_unencoded=True), "ab", "c d") == "ab:c d"


def test_client_id_also_in_body():
    assert q.client_id_beside_basic(PLAIN, "c") == ()
    assert q.client_id_beside_basic(Quirks(client_id_also_in_body=True), "c") == (("client_id", "c"),)


class TestTokenResponseFormEncoded:
    FORM = Quirks(token_response_form_encoded=True)

    def test_only_where_it_is_set(self):
        body = b"access_token=a&token_type=bearer"
        assert q.form_encoded_members(PLAIN, body) is None
        assert q.form_encoded_members(self.FORM, body) == {"access_token": "a", "token_type": "bearer"}

    @pytest.mark.parametrize("body", [b"", b"a=1&a=2", b"<html>", b"a=\xff", b"&".join([b"a=1"] * 100)])
    def test_a_body_that_is_no_form_is_none(self, body):
        assert q.form_encoded_members(self.FORM, body) is None


def test_token_response_path():
    nested = Quirks(token_response_path="data.token")
    assert q.token_members(PLAIN, {"a": 1}) == {"a": 1}
    assert q.token_members(nested, {"data": {"token": {"a": 1}}}) == {"a": 1}
    assert q.token_members(nested, {"data": 5}) == {"data": 5}


def test_token_type_may_be_absent():
    assert q.token_type(PLAIN, None) is None
    assert q.token_type(Quirks(token_type_may_be_absent=True), None) == "Bearer"
    assert q.token_type(Quirks(token_type_may_be_absent=True), "mac") is None


def test_token_type_aliases():
    aliases = Quirks(token_type_aliases={"user access token": "Bearer"})
    assert q.token_type(PLAIN, "User Access Token") is None
    assert q.token_type(aliases, "User Access Token") == "Bearer"


def test_access_token_member():
    assert q.access_token(PLAIN, {"access_token": "a", "token": "b"}) == "a"
    assert q.access_token(Quirks(access_token_member="token"), {"access_token": "a", "token": "b"}) == "b"


def test_token_type_member():
    assert q.token_type_as_sent(PLAIN, {"token_type": "a", "type": "b"}) == "a"
    assert q.token_type_as_sent(Quirks(token_type_member="type"), {"token_type": "a", "type": "b"}) == "b"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-21T13:00:00Z", 3600),
        ("2026-11-21T13:00:00.1234567Z", 3600),
        ("2026-11-21T15:00:00+02:00", 3600),
        ("2026-11-21T13:00:00", 3600),
        ("2026-11-22", 12 * 3600),
        ("2026-11-20", -36 * 3600),
        ("soon", None),
        (None, None),
        (1750968590, None),
        ("9999-99-99", None),
    ],
)
def test_expires_at_member(value, seconds):
    now = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    assert q.lifetime(Quirks(expires_at_member="until"), {"expires_in": 7, "until": value}, now) == seconds
    assert q.lifetime(PLAIN, {"expires_in": 7, "until": value}, now) == 7


def test_unauthorized_means_grant_rejected():
    quirky = Quirks(unauthorized_means_grant_rejected=True)
    assert not q.unauthorized_is_on_the_grant(PLAIN, 401, None)
    assert q.unauthorized_is_on_the_grant(quirky, 401, None)
    assert not q.unauthorized_is_on_the_grant(quirky, 401, "invalid_client")
    assert not q.unauthorized_is_on_the_grant(quirky, 403, None)


def test_error_aliases():
    assert q.error_code(PLAIN, "invalid_code") == "invalid_code"
    assert q.error_code(Quirks(error_aliases={"invalid_code": "invalid_grant"}), "invalid_code") == "invalid_grant"


def test_every_quirk_has_a_test_here():
    text = Path(__file__).read_text(encoding="utf-8").lower()
    missing = [name for name in Quirks.__struct_fields__ if f"{name}=" not in text]
    assert missing == []
