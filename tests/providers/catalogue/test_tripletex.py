"""Tripletex: a session made by PUT with three query parameters, and Basic authentication with user 0."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode

import pytest

from providers.errors import ClientRejected, GrantRejected
from providers.messages import HttpResponse, OAuthCredential, Secret
from tests.providers.catalogue.at_peer import CLIENT_SECRET, at_peer, entered, json_answers, received, registration
from tests.providers.peer import Peer

CHOSEN = registration("tripletex", client_id="acme-app")
ENTERED = entered(employee_token="empl0yee-token-x")
NOW = dt.datetime(2026, 11, 21, 22, 30, tzinfo=dt.UTC)
SESSION = {"value": {"id": 1, "token": "s3ss", "expirationDate": "2026-11-23", "encryptionKey": None}}
WHO = {"value": {"employeeId": 7, "companyId": 4711, "company": {"id": 4711, "name": "Fjord AS"}}}


def test_a_session_is_made_and_asked_whose_it_is(outbound):
    with Peer(json_answers(("200 OK", SESSION), ("200 OK", WHO))) as peer:
        provider = at_peer("tripletex", outbound, peer.url)
        verified = provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    token, who = received(peer)
    assert (token.method, token.target.partition("?")[0], token.body) == ("PUT", "/v2/token/session/:create", "")
    assert token.query == {
        "consumerToken": CLIENT_SECRET,
        "employeeToken": "empl0yee-token-x",
        # Midnight in Oslo comes before midnight in UTC: tomorrow's date could be over already.
        "expirationDate": "2026-11-23",
    }
    assert (who.method, who.target) == ("GET", "/v2/token/session/%3EwhoAmI")
    assert who.headers["Authorization"] == "Basic " + b64encode(b"0:s3ss").decode()
    assert (verified.account.subject, verified.account.name) == ("4711", "Fjord AS")
    # Never longer than twenty hours, whatever hour ends the day.
    assert verified.expires_in == 72000


def test_a_call_has_the_session_as_password(outbound):
    provider = at_peer("tripletex", outbound, "http://127.0.0.1:1")
    held = OAuthCredential(access_token=Secret("s3ss"), entered=ENTERED)
    assert provider.api_headers(CHOSEN, held) == {"Authorization": "Basic " + b64encode(b"0:s3ss").decode()}


@pytest.mark.parametrize(
    ("body", "kind", "fields"),
    [
        (
            {"code": 3000, "message": "Unauthorized", "developerMessage": "Invalid consumerToken"},
            ClientRejected,
            ("client_secret",),
        ),
        (
            {"code": 3000, "message": "Unauthorized", "developerMessage": "Invalid employeeToken"},
            GrantRejected,
            ("employee_token",),
        ),
        ({"code": 3000, "message": "Unauthorized"}, GrantRejected, ()),
    ],
)
def test_whose_token_is_refused(body, kind, fields, outbound):
    with Peer(json_answers(("401 Unauthorized", body))) as peer:
        provider = at_peer("tripletex", outbound, peer.url)
        with pytest.raises(kind) as caught:
            provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    assert caught.value.fields == fields


def test_the_wait_is_in_its_own_header(outbound):
    provider = at_peer("tripletex", outbound, "http://127.0.0.1:1")
    headers = {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "7"}
    reading = provider.read_answer(HttpResponse(status=429, headers=headers))
    assert (reading.meaning, reading.retry_after) == ("throttled", 7.0)
    assert reading.rate_limit == headers
