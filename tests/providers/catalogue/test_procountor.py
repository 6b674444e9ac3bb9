"""Procountor: client credentials with the customer's API key beside them."""

from __future__ import annotations

import datetime as dt

import pytest

from providers.errors import ClientRejected, GrantRejected, RequestRefused
from providers.messages import HttpResponse
from tests.providers.catalogue.at_peer import CLIENT_SECRET, at_peer, entered, json_answers, received, registration
from tests.providers.peer import Peer

REDIRECT = "https://acme.example/procountor"
CHOSEN = registration("procountor", client_id="acmeClient", parameters={"redirect_uri": REDIRECT})
ENTERED = entered(api_key="k3y-of-the-company")
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TOKEN = {"access_token": "at", "token_type": "bearer", "expires_in": 3600}


def test_the_api_key_goes_with_the_clients_own(outbound):
    with Peer(json_answers(("200 OK", TOKEN), ("200 OK", {"id": 10042, "name": "Tilit Oy"}))) as peer:
        provider = at_peer("procountor", outbound, peer.url)
        verified = provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    token, company = received(peer)
    assert (token.method, token.target) == ("POST", "/api/oauth/token")
    assert token.form == {
        "grant_type": "client_credentials",
        "client_id": "acmeClient",
        "client_secret": CLIENT_SECRET,
        "redirect_uri": REDIRECT,
        "api_key": "k3y-of-the-company",
    }
    assert "Authorization" not in token.headers
    assert (company.target, company.headers["Authorization"]) == ("/api/company", "Bearer at")
    assert (verified.account.subject, verified.account.name) == ("10042", "Tilit Oy")
    assert verified.expires_in == 3600


def test_the_redirect_uri_has_to_be_given(outbound):
    provider = at_peer("procountor", outbound, "http://127.0.0.1:1")
    with pytest.raises(RequestRefused) as caught:
        provider.check_registration(registration("procountor", client_id="acmeClient"))
    assert (caught.value.field, caught.value.problem) == ("parameters.redirect_uri", "missing")


@pytest.mark.parametrize(
    ("status", "body", "kind", "fields"),
    [
        ("400 Bad Request", {"error": "invalid_grant"}, GrantRejected, ("api_key",)),
        ("401 Unauthorized", {"error": "invalid_client"}, ClientRejected, ()),
        ("400 Bad Request", {"error": "invalid_request"}, ClientRejected, ()),
    ],
)
def test_whose_turn_a_refused_token_request_is(status, body, kind, fields, outbound):
    with Peer(json_answers((status, body))) as peer:
        provider = at_peer("procountor", outbound, peer.url)
        with pytest.raises(kind) as caught:
            provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    assert caught.value.fields == fields


@pytest.mark.parametrize(
    "text", ["User rights check failed: Insufficient user rights.", "No access right to company information."]
)
def test_a_right_that_the_keys_user_lacks_is_said(text, outbound):
    provider = at_peer("procountor", outbound, "http://127.0.0.1:1")
    reading = provider.read_answer(HttpResponse(status=403, body=f'{{"errors":[{{"message":"{text}"}}]}}'.encode()))
    assert reading.meaning == "right_missing"
    assert "Users and privileges" in reading.explanation
