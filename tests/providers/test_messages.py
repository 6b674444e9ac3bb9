from __future__ import annotations

import copy
import datetime as dt
import json
import pickle
import traceback

import pytest

from providers.messages import (
    AuthorizationRequest,
    ClientRegistration,
    EnteredCredential,
    ExternalAccount,
    HttpRequest,
    HttpResponse,
    OAuthCredential,
    RequestToSign,
    Secret,
    SignedHeaders,
    TokenResponse,
    VerifiedCredential,
)

CANARY = "canary-5f2c"


class TestSecret:
    def test_shows_itself_only_when_revealed(self):
        secret = Secret(CANARY)
        assert secret.reveal() == CANARY
        for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s" % secret):  # noqa: UP031
            assert CANARY not in shown

    @pytest.mark.parametrize("leak", [pickle.dumps, json.dumps, copy.copy, copy.deepcopy, vars, hash])
    def test_cannot_be_carried_away(self, leak):
        with pytest.raises(TypeError):
            leak(Secret(CANARY))

    def test_is_equal_by_value_and_only_to_secrets(self):
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert Secret("é") == Secret("é")
        assert Secret("a") != "a"

    def test_refuses_what_cannot_be_a_secret(self):
        with pytest.raises(ValueError, match="not empty"):
            Secret("")
        with pytest.raises(TypeError, match="is a string"):
            Secret(b"bytes")  # type: ignore[arg-type]

    def test_does_not_show_in_a_traceback_of_the_values_that_hold_it(self):
        held = (
            TokenResponse(access_token=Secret(CANARY), extras={"note": CANARY}),
            OAuthCredential(access_token=Secret(CANARY), refresh_token=Secret(CANARY)),
            ClientRegistration(provider_id="p", environment="e", client_id="c", client_secrets=(Secret(CANARY),)),
            HttpRequest(
                method="POST",
                url="https://a.example",
                endpoint="token",
                fields=(("code", CANARY),),
                headers={"A": CANARY},
            ),
            HttpResponse(status=200, headers={"set-cookie": CANARY}, body=CANARY.encode()),
            AuthorizationRequest(url=f"https://a.example?state={CANARY}"),
            EnteredCredential(fields={"key": Secret(CANARY)}),
            RequestToSign(
                method="GET", url=f"https://a.example?name={CANARY}", body=CANARY.encode(), headers={"A": CANARY}
            ),
            SignedHeaders(headers={"A": CANARY}, transaction_id="1", valid_until=dt.datetime.now(dt.UTC)),
            VerifiedCredential(
                credential=EnteredCredential(fields={"key": Secret(CANARY)}),
                account=ExternalAccount(issuer="i", subject="s"),
            ),
        )
        text = "".join(traceback.format_exception(ValueError(held)))
        assert CANARY not in text
