"""Maventa: tokens by scope set with the vendor key beside what was entered, and whose turn each refusal is."""

from __future__ import annotations

import datetime as dt

import pytest

from providers.errors import (
    AccountUnverified,
    ClientRejected,
    GrantRejected,
    ProviderUnavailable,
    RequestRefused,
    RightMissing,
)
from providers.interface import HANDS_OUT_TOKENS, MINTS_SCOPES, PROBES, RENEWS, VERIFIES
from providers.messages import HttpResponse, OAuthCredential, Secret
from providers.registry import load_definitions
from tests.providers.catalogue.at_peer import CLIENT_SECRET, at_peer, entered, json_answers, received, registration
from tests.providers.peer import Peer

COMPANY, KEY = "99445728-5fd3-428a-96e1-ca0cab692276", "c35db559-dd4c-423d-9ca7-f334f94aa074"
ENTERED = entered(company_uuid=COMPANY, user_api_key=KEY)
CHOSEN = registration("maventa", client_id="acme-erp")
OPERATOR = registration("maventa-operator", client_id="op-1")
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TOKEN = {"access_token": "at", "token_type": "bearer", "expires_in": 3600, "scope": "company:read lookup"}
CURRENT = {"user": {"id": "u"}, "company": {"id": COMPANY, "name": "Kallio Oy"}, "scopes": ["company:read"]}
VERIFIED = {"auth_state": "SIGNED", "auth_email": "a@acme.example", "company_state": "VERIFIED"}


def test_the_scopes_are_always_named(outbound):
    with Peer(json_answers(("200 OK", TOKEN), ("200 OK", CURRENT), ("200 OK", VERIFIED))) as peer:
        provider = at_peer("maventa", outbound, peer.url)
        verified = provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    token, current, state = received(peer)
    assert (token.method, token.target) == ("POST", "/oauth2/token")
    assert token.form == {
        "grant_type": "client_credentials",
        "client_id": COMPANY,
        "client_secret": KEY,
        "vendor_api_key": CLIENT_SECRET,
        "scope": "company:read lookup invoice:send invoice:receive document:send document:receive",
    }
    assert (current.target, current.headers["Authorization"]) == ("/oauth2/current", "Bearer at")
    assert (state.target, state.headers["Authorization"]) == ("/v1/company/authorization", "Bearer at")
    assert (verified.account.subject, verified.account.name) == (COMPANY, "Kallio Oy")
    assert verified.expires_in == 3600
    assert verified.credential.scope == ("company:read", "lookup")
    assert verified.credential.entered == ENTERED


def test_a_company_that_is_not_verified_can_be_kept_all_the_same(outbound):
    state = {**VERIFIED, "company_state": "UNVERIFIED"}
    with Peer(json_answers(("200 OK", TOKEN), ("200 OK", CURRENT), ("200 OK", state))) as peer:
        provider = at_peer("maventa", outbound, peer.url)
        with pytest.raises(AccountUnverified) as caught:
            provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    assert "not verified" in caught.value.explanation
    kept = caught.value.verified
    assert (kept.account.name, kept.credential.entered, kept.expires_in) == ("Kallio Oy", ENTERED, 3600)


def test_another_scope_set_is_another_token(outbound):
    with Peer(json_answers(("200 OK", TOKEN))) as peer:
        provider = at_peer("maventa", outbound, peer.url)
        provider.mint(CHOSEN, ENTERED, ("billing:reports", "validate"))
    assert received(peer)[0].form["scope"] == "billing:reports validate"


def test_a_scope_that_maventa_lacks_is_not_asked_for(outbound):
    provider = at_peer("maventa", outbound, "http://127.0.0.1:1")
    with pytest.raises(RequestRefused) as caught:
        provider.mint(CHOSEN, ENTERED, ("invoice:destroy",))
    assert (caught.value.field, caught.value.problem) == ("scope", "unknown_scope")


def test_licence_data_goes_along_when_the_registration_has_it(outbound):
    with Peer(json_answers(("200 OK", TOKEN))) as peer:
        provider = at_peer("maventa", outbound, peer.url)
        chosen = registration("maventa", client_id="acme", parameters={"license_data": '{"key":"1"}'})
        provider.mint(chosen, ENTERED, ("lookup",))
    assert received(peer)[0].form["license_data"] == '{"key":"1"}'


def test_the_next_token_is_made_of_the_same_values(outbound):
    with Peer(json_answers(("200 OK", TOKEN))) as peer:
        provider = at_peer("maventa", outbound, peer.url)
        held = OAuthCredential(access_token=Secret("old"), entered=ENTERED)
        assert provider.renew(CHOSEN, held).access_token == Secret("at")
    assert received(peer)[0].form["client_secret"] == KEY
    assert {RENEWS, VERIFIES, PROBES, MINTS_SCOPES, HANDS_OUT_TOKENS} <= set(provider.capabilities)
    assert provider.definition.traits.refresh_token_rotation == "none"


@pytest.mark.parametrize(
    ("status", "body", "kind", "fields"),
    [
        (
            "401 Unauthorized",
            {"code": "x", "message": "ERROR: VENDOR API KEY DISABLED"},
            ClientRejected,
            ("client_secret",),
        ),
        ("400 Bad Request", {"code": "x", "message": "vendor_api_key is missing"}, ClientRejected, ("client_secret",)),
        ("401 Unauthorized", {"code": "x", "message": "ERROR: USER NOT FOUND"}, GrantRejected, ("user_api_key",)),
        ("401 Unauthorized", {"code": "x", "message": "ERROR: COMPANY NOT FOUND"}, GrantRejected, ("company_uuid",)),
        (
            "401 Unauthorized",
            {"code": "x", "message": "ERROR: USER HAS NO RIGHTS TO COMPANY"},
            RightMissing,
            ("company_uuid", "user_api_key"),
        ),
        ("401 Unauthorized", {"code": "x", "message": "ERROR: USER NOT ACTIVATED"}, RightMissing, ("user_api_key",)),
        ("401 Unauthorized", {"code": "x", "message": "ERROR: COMPANY ACCOUNT IS LOCKED"}, RightMissing, ()),
        (
            "401 Unauthorized",
            {"code": "x", "message": "ERROR: COMPANY HAS NOT COMPLETED FIRST TIME WIZARD"},
            RightMissing,
            (),
        ),
        ("401 Unauthorized", {"error": "invalid_client"}, GrantRejected, ("company_uuid", "user_api_key")),
        # Nothing is known of its body: of the two, what the customer entered is the likelier.
        ("401 Unauthorized", {"message": "Unauthorized"}, GrantRejected, ()),
        ("401 Unauthorized", "", GrantRejected, ()),
        ("400 Bad Request", {"error": "invalid_scope"}, ClientRejected, ()),
        ("503 Service Unavailable", {"message": "later"}, ProviderUnavailable, ()),
    ],
)
def test_whose_turn_a_refused_token_request_is(status, body, kind, fields, outbound):
    with Peer(json_answers((status, body))) as peer:
        provider = at_peer("maventa", outbound, peer.url)
        with pytest.raises(kind) as caught:
            provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    assert type(caught.value) is kind
    assert caught.value.fields == fields
    # Whoever can help is told what to do, as far as the answer says what is wrong.
    assert bool(caught.value.explanation) == (kind is RightMissing or (kind is GrantRejected and bool(fields)))


def test_stage_and_production_have_hosts_of_their_own():
    environments = load_definitions()["maventa"].environments
    assert set(environments) == {"production", "stage"}
    assert environments["stage"].token_endpoint == "https://ax-stage.maventa.com/oauth2/token"
    assert "validator-stage.maventa.com" in environments["stage"].api_hosts
    assert "bling.maventa.com" in environments["production"].api_hosts


def test_an_operator_has_nothing_to_enter_and_serves_one_tenant(outbound):
    body = {**TOKEN, "scope": "operator:lookup"}
    with Peer(json_answers(("200 OK", body), ("200 OK", {"client_id": "op-1", "expires_at": "x"}))) as peer:
        provider = at_peer("maventa-operator", outbound, peer.url)
        verified = provider.verify(OPERATOR, entered(), now=NOW, nonce="n")
    token, status = received(peer)
    assert token.form == {
        "grant_type": "client_credentials",
        "client_id": "op-1",
        "client_secret": CLIENT_SECRET,
        "scope": "operator:lookup",
    }
    assert (status.target, verified.account.subject) == ("/status/authenticated", "op-1")
    assert provider.definition.one_tenant_only
    assert provider.definition.entered_fields == ()
    provider.check_scopes(("operator:receivables:assignments:create",))


def test_an_operators_refusal_is_staffs_turn(outbound):
    for body in ({"code": "x", "message": "ERROR: OPERATOR NOT FOUND"}, {"message": "no"}):
        with Peer(json_answers(("401 Unauthorized", body))) as peer:
            provider = at_peer("maventa-operator", outbound, peer.url)
            with pytest.raises(ClientRejected):
                provider.verify(OPERATOR, entered(), now=NOW, nonce="n")


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (401, b'{"code":"access_denied","message":"Access denied"}', "credential_refused"),
        (401, b'{"code":"unauthorized","message":"Unauthorized"}', "account_unverified"),
        (404, b'{"code":"not_found","message":"Not found"}', "content"),
        (422, b'{"code":"x","message":"Invoice is not valid","details":["a"]}', "content"),
        (429, b"{}", "throttled"),
        (200, b"{}", "ok"),
    ],
)
def test_what_an_answer_of_the_api_means(status, body, meaning, outbound):
    provider = at_peer("maventa", outbound, "http://127.0.0.1:1")
    assert provider.read_answer(HttpResponse(status=status, body=body)).meaning == meaning
