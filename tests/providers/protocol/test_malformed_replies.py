"""Replies of every malformed kind, judged: nobody is blamed for garbage, nothing crashes, nothing shows."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from providers.definition import KnownRefusal
from providers.errors import ClientRejected, GrantRejected, ResponseMalformed
from providers.messages import HttpResponse
from providers.protocol.token_endpoint import process_response
from tests.chaos_support import replies
from tests.chaos_support.reply_bodies import BODIES

REFUSED = {"error": "invalid_grant", "error_description": "revoked"}


def response(status: int, body: object) -> HttpResponse:
    return HttpResponse(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize("seed", [1, 2])
def test_thousands_of_replies_break_no_rule(seed):
    summary = replies.run(2500, seed)
    assert set(summary.verdicts) == {kind.__name__ for kind in replies.EXPECTED} | {"TokenResponse"}
    assert set(summary.kinds) == {recipe.__name__ for recipe in BODIES}


class TestAGrantIsRefusedOnly:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    def test_by_a_refusal_that_says_so(self, definition, status):
        with pytest.raises(GrantRejected):
            process_response(definition, response(status, REFUSED))

    @pytest.mark.parametrize("status", [100, 101, 200, 201, 206, 302, 304, 399])
    def test_never_by_an_answer_that_is_no_refusal(self, definition, status):
        with pytest.raises(ResponseMalformed) as caught:
            process_response(definition, response(status, REFUSED))
        assert caught.value.uncertain

    def test_by_a_success_where_the_catalogue_lists_it(self, definition):
        known = KnownRefusal(means="credential_refused", error="invalid_grant", statuses=(200,))
        with pytest.raises(GrantRejected):
            process_response(replace(definition, refusals=(known,)), response(200, REFUSED))

    @pytest.mark.parametrize("token", ["at-1", 7, ["a"]])
    def test_never_beside_a_token(self, definition, token):
        with pytest.raises(ResponseMalformed):
            process_response(definition, response(400, {**REFUSED, "access_token": token}))

    @pytest.mark.parametrize("charset", ["utf-16", "utf-32", "utf-16-le"])
    def test_never_in_an_encoding_that_json_has_not(self, definition, charset):
        with pytest.raises(ResponseMalformed):
            process_response(definition, response(400, json.dumps(REFUSED).encode(charset)))

    def test_never_by_a_page_although_a_bare_401_would(self, definition):
        quirky = replace(definition, quirks=replace(definition.quirks, unauthorized_means_grant_rejected=True))
        with pytest.raises(GrantRejected):
            process_response(quirky, response(401, b""))
        with pytest.raises(ClientRejected):
            process_response(quirky, response(401, b"\r\n<html>Sign in to the network</html>"))

    def test_never_by_a_redirect_to_a_page_with_words_of_the_catalogue(self, definition):
        known = KnownRefusal(means="credential_refused", contains="user not found")
        with pytest.raises(ResponseMalformed):
            process_response(replace(definition, refusals=(known,)), response(302, b"User not found"))


class TestWhatIsKept:
    def test_scopes_are_those_that_a_column_holds(self, definition):
        scope = f"api a\x00b é {'s' * 201} {'s' * 200} \ud800 read"
        found = process_response(definition, response(200, {**self._good(), "scope": scope}))
        assert found.scope == ("api", "s" * 200, "read")

    def test_scopes_without_end_are_cut(self, definition):
        scope = " ".join(f"scope{number}" for number in range(5000))
        found = process_response(definition, response(200, {**self._good(), "scope": scope}))
        assert len(found.scope) == 500

    def test_facts_without_end_are_cut(self, definition):
        more = {f"fact{number}": number for number in range(5000)} | {"n" * 5000: 1}
        found = process_response(definition, response(200, {**more, **self._good()}))
        assert len(found.extras) == 64
        assert max(map(len, found.extras)) < 100

    @staticmethod
    def _good() -> dict[str, object]:
        return {"access_token": "at-1", "token_type": "Bearer", "refresh_token": "rt-1"}
