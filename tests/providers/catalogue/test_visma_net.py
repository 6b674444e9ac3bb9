"""Visma.net Integrations: a token called `token` that never expires and reaches several companies."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.errors import GrantRejected, RightMissing
from providers.interface import CHOOSES_COMPANY, PROBES, RENEWS, REVOKES
from providers.messages import Company, HttpResponse, OAuthCredential, RequestToSign, Secret
from providers.registry import load_definitions
from tests.providers.catalogue.at_peer import CLIENT_SECRET, at_peer, json_answers, received, registration
from tests.providers.peer import Peer

CHOSEN = registration("visma-net")
HELD = OAuthCredential(access_token=Secret("at"))
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def test_the_browser_is_sent_with_the_one_scope(outbound):
    provider = at_peer("visma-net", outbound, "http://127.0.0.1:1")
    request = provider.build_authorization_request(
        CHOSEN, redirect_uri="https://broker.example/cb/1", state="st", code_verifier="v" * 43
    )
    parts = urlsplit(request.url)
    assert parts.path == "/API/resources/oauth/authorize"
    assert parse_qs(parts.query)["scope"] == ["financialstasks"]
    assert "response_mode" not in parse_qs(parts.query)


@pytest.mark.parametrize("kind", [{"token_type": "Bearer"}, {"type": "Bearer"}, {}])
def test_the_token_is_called_token_and_never_expires(kind, outbound):
    with Peer(json_answers(("200 OK", {"token": "abc-123", "scope": "financialstasks", **kind}))) as peer:
        provider = at_peer("visma-net", outbound, peer.url)
        tokens = provider.exchange_code(
            CHOSEN, code="c", code_verifier="v" * 43, redirect_uri="https://broker.example/cb/1"
        )
    (sent,) = received(peer)
    assert (sent.method, sent.target) == ("POST", "/API/security/api/v2/token")
    assert sent.headers["Authorization"] == "Basic " + b64encode(f"isv_client:{CLIENT_SECRET}".encode()).decode()
    assert sent.form["grant_type"] == "authorization_code"
    assert (tokens.access_token, tokens.token_type) == (Secret("abc-123"), "Bearer")
    assert (tokens.expires_in, tokens.refresh_token) == (None, None)


def test_the_companies_are_those_of_the_user(outbound):
    with Peer(json_answers(("200 OK", [{"id": 1014, "name": "Fjord AS"}, {"id": 1015, "name": "Fjell AS"}]))) as peer:
        provider = at_peer("visma-net", outbound, peer.url)
        companies = provider.companies(CHOSEN, HELD)
    (sent,) = received(peer)
    assert sent.target == "/API/security/api/v1/token/usercontexts"
    assert sent.headers["Authorization"] == "Bearer at"
    assert "ipp-company-id" not in sent.headers
    assert companies == (Company(id="1014", name="Fjord AS"), Company(id="1015", name="Fjell AS"))


def test_a_call_carries_the_chosen_company(outbound):
    provider = at_peer("visma-net", outbound, "http://127.0.0.1:1")
    held, account = provider.choose(CHOSEN, HELD, Company(id="1014", name="Fjord AS"))
    url = "http://127.0.0.1:1/API/controller/api/v1/customer"
    headers = provider.request_headers(CHOSEN, held, RequestToSign(method="GET", url=url), now=NOW, nonce="n")
    assert headers.headers == {
        "Authorization": "Bearer at",
        "ipp-company-id": "1014",
        "ipp-application-type": "Visma.net Financials",
    }
    assert (headers.single_use, headers.valid_until) == (False, None)
    assert (account.subject, account.name) == ("1014", "Fjord AS")


def test_there_is_nothing_to_renew_and_nothing_to_revoke_with(outbound):
    provider = at_peer("visma-net", outbound, "http://127.0.0.1:1")
    assert not {RENEWS, REVOKES} & set(provider.capabilities)
    assert {PROBES, CHOOSES_COMPANY} <= set(provider.capabilities)


def test_a_401_is_final(outbound):
    with Peer(json_answers(("401 Unauthorized", ""))) as peer:
        provider = at_peer("visma-net", outbound, peer.url)
        with pytest.raises(GrantRejected):
            provider.probe(CHOSEN, HELD, now=NOW, nonce="n")


@pytest.mark.parametrize(("code", "word"), [("12027", "licence"), ("12002", "access")])
def test_the_vendors_codes_are_rights_that_are_missing(code, word, outbound):
    provider = at_peer("visma-net", outbound, "http://127.0.0.1:1")
    body = (
        f'{{"ExceptionType": "IPPException", "ExceptionMessage": "No.", "ExceptionFaultCode": "{code}",'
        f' "ExceptionMessageID": "{code}_6e2a06a8", "ExceptionDetails": ""}}'
    )
    reading = provider.read_answer(HttpResponse(status=400, body=body.encode()))
    assert (reading.meaning, reading.error, reading.error_id) == ("right_missing", code, f"{code}_6e2a06a8")
    assert word in reading.explanation


def test_a_user_without_companies_lacks_a_right(outbound):
    with Peer(json_answers(("200 OK", []))) as peer, pytest.raises(RightMissing):
        at_peer("visma-net", outbound, peer.url).companies(CHOSEN, HELD)


def test_staff_see_that_it_ends():
    definition = load_definitions()["visma-net"]
    assert definition.sunset_on == dt.date(2025, 12, 31)
    assert "500 calls an hour" in definition.sunset_note
    assert "visma-net-erp" in definition.sunset_note
