"""Maventa Payslip: two ways to sign in, two headers on every call, and refusals with HTTP 200."""

from __future__ import annotations

import datetime as dt

import pytest

from providers.errors import ClientRejected, GrantRejected, ResponseMalformed, RightMissing
from providers.interface import HANDS_OUT_HEADERS, HANDS_OUT_TOKENS, RENEWS, VERIFIES
from providers.messages import EnteredCredential, HttpResponse, RequestToSign
from providers.protocol.entered import read_entered
from providers.registry import load_definitions
from tests.providers.catalogue.at_peer import at_peer, entered, json_answers, received, registration
from tests.providers.peer import Peer

COMPANY, KEY = "99445728-5fd3-428a-96e1-ca0cab692276", "c35db559-dd4c-423d-9ca7-f334f94aa074"
CHOSEN = registration("maventa-payslip", client_id="acme-erp")
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ACCOUNT = ({"company_uuid": COMPANY, "user_api_key": KEY}, {"COMPANY-UUID": COMPANY, "USER-API-KEY": KEY}, COMPANY)
LOGIN = (
    {"username": "palkat@yritys.fi", "password": "pw1"},
    {"USERNAME": "palkat@yritys.fi", "USERPW": "pw1"},
    "palkat@yritys.fi",
)


def typed(values: dict[str, str]) -> EnteredCredential:
    return read_entered(load_definitions()["maventa-payslip"], values)


@pytest.mark.parametrize("answer", ["OK", "ERROR: FILE NOT FOUND"])
@pytest.mark.parametrize(("values", "headers", "subject"), [ACCOUNT, LOGIN])
def test_either_way_proves_itself_by_asking_for_no_file(values, headers, subject, answer, outbound):
    with Peer(json_answers(("200 OK", answer))) as peer:
        provider = at_peer("maventa-payslip", outbound, peer.url)
        verified = provider.verify(CHOSEN, typed(values), now=NOW, nonce="n")
    (sent,) = received(peer)
    assert (sent.method, sent.target, sent.body) == ("POST", "/file_status", "")
    ours = {"COMPANY-UUID", "USER-API-KEY", "USERNAME", "USERPW", "Authorization"}
    assert {name: value for name, value in sent.headers.items() if name in ours} == headers
    assert verified.account.subject == subject
    assert verified.expires_in is None


def test_headers_last_as_long_as_the_connection_and_go_nowhere_else(outbound):
    provider = at_peer("maventa-payslip", outbound, "http://127.0.0.1:1")
    request = RequestToSign(method="POST", url="http://127.0.0.1:1/input_public", body=b"x")
    handed = provider.request_headers(CHOSEN, entered(**ACCOUNT[0]), request, now=NOW, nonce="n")
    assert handed.headers == ACCOUNT[1]
    assert (handed.single_use, handed.valid_until) == (False, None)
    assert HANDS_OUT_HEADERS in provider.capabilities
    assert VERIFIES in provider.capabilities
    assert not {HANDS_OUT_TOKENS, RENEWS} & set(provider.capabilities)


@pytest.mark.parametrize(
    ("text", "kind", "fields"),
    [
        ("ERROR: USER NOT FOUND", GrantRejected, ("user_api_key", "username", "password")),
        ("ERROR: COMPANY NOT FOUND", GrantRejected, ("company_uuid",)),
        ("ERROR: USER HAS NO RIGHTS TO COMPANY", RightMissing, ("company_uuid", "user_api_key")),
        ("ERROR: USER NOT ACTIVATED", RightMissing, ()),
        ("ERROR: COMPANY ACCOUNT IS LOCKED", RightMissing, ()),
        ("ERROR: VENDOR API KEY DISABLED", ClientRejected, ()),
        ("ERROR: SOMETHING ELSE", ResponseMalformed, ()),
    ],
)
def test_an_error_with_http_200_is_an_error(text, kind, fields, outbound):
    with Peer(json_answers(("200 OK", text))) as peer:
        provider = at_peer("maventa-payslip", outbound, peer.url)
        with pytest.raises(kind) as caught:
            provider.verify(CHOSEN, entered(**ACCOUNT[0]), now=NOW, nonce="n")
    assert type(caught.value) is kind
    assert caught.value.fields == fields


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (b"OK 1 file", "ok"),
        (b"ERROR: USER NOT FOUND", "credential_refused"),
        (b"ERROR: HASH DOES NOT MATCH", "content"),
    ],
)
def test_what_an_answer_means(text, meaning, outbound):
    provider = at_peer("maventa-payslip", outbound, "http://127.0.0.1:1")
    assert provider.read_answer(HttpResponse(status=200, body=text)).meaning == meaning
