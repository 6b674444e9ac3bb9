"""e-conomic: two headers, one call that proves them, and a refusal that does not say which is wrong."""

from __future__ import annotations

import datetime as dt

import pytest

from providers.errors import GrantRejected, RequestRefused
from providers.messages import HttpResponse, RequestToSign
from providers.registry import Registry
from tests.providers.catalogue.at_peer import CLIENT_SECRET, at_peer, entered, json_answers, received, registration
from tests.providers.peer import Peer

CHOSEN = registration("e-conomic", client_id="app-public")
ENTERED = entered(grant_token="gr4nt-token")
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
SELF = {"agreementNumber": 1234567, "company": {"name": "Kaffe ApS"}, "userName": "API"}


def test_self_proves_both_tokens(outbound):
    with Peer(json_answers(("200 OK", SELF))) as peer:
        provider = at_peer("e-conomic", outbound, peer.url)
        verified = provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    (sent,) = received(peer)
    assert (sent.method, sent.target) == ("GET", "/self")
    assert sent.headers["X-AppSecretToken"] == CLIENT_SECRET
    assert sent.headers["X-AgreementGrantToken"] == "gr4nt-token"
    assert "Authorization" not in sent.headers
    assert (verified.account.subject, verified.account.name) == ("1234567", "Kaffe ApS")


def test_both_of_its_apis_may_be_called_and_no_other(outbound):
    provider = Registry.load(outbound).find("e-conomic")
    for url in ("https://restapi.e-conomic.com/customers", "https://apis.e-conomic.com/subscriptionsapi/v5.0.1/x"):
        handed = provider.request_headers(CHOSEN, ENTERED, RequestToSign(method="GET", url=url), now=NOW, nonce="n")
        assert handed.headers == {"X-AppSecretToken": CLIENT_SECRET, "X-AgreementGrantToken": "gr4nt-token"}
    foreign = RequestToSign(method="GET", url="https://restapi.e-conomic.example/customers")
    with pytest.raises(RequestRefused):
        provider.request_headers(CHOSEN, ENTERED, foreign, now=NOW, nonce="n")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"message": "Token does not correspond to a valid grant.", "errorCode": "E02250"}, ("grant_token",)),
        ({"message": "Unauthorized access (Unauthorized).", "httpStatusCode": 401}, ()),
    ],
)
def test_a_refused_pair_of_tokens(body, fields, outbound):
    with Peer(json_answers(("401 Unauthorized", body))) as peer:
        provider = at_peer("e-conomic", outbound, peer.url)
        with pytest.raises(GrantRejected) as caught:
            provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    assert caught.value.fields == fields


def test_support_gets_the_log_id(outbound):
    provider = at_peer("e-conomic", outbound, "http://127.0.0.1:1")
    body = b'{"message": "Validation failed.", "errorCode": "E04300", "logId": "86e92b50-6a2f-4cc5"}'
    reading = provider.read_answer(HttpResponse(status=400, body=body))
    assert (reading.meaning, reading.error, reading.error_id) == ("content", "E04300", "86e92b50-6a2f-4cc5")
