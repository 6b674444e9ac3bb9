"""Severa: a JSON token request, scopes with commas, and the client id in a header of every call."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from providers.errors import ClientRejected, GrantRejected, RightMissing
from providers.messages import OAuthCredential, Secret
from tests.providers.catalogue.at_peer import at_peer, entered, json_answers, received, registration
from tests.providers.peer import Peer

CHOSEN = registration("severa", client_id="acme-integration")
ENTERED = entered(severa_client_id="Acme_x.apps", severa_client_secret="s3v")
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TOKEN = {
    "access_token": "at",
    "scope": "organization:read,customers:read",
    "refresh_token": "unused",
    "access_token_type": "Bearer",
    "access_token_expires_in": 3600,
    "access_token_expires_utc": "2026-11-21T13:00:00.1234567Z",
}
ORGANIZATION = {"guid": "0b9e1c52-0000-4000-8000-000000000001", "name": "Konsultit Oy"}


def test_a_token_is_asked_for_in_json(outbound):
    with Peer(json_answers(("200 OK", TOKEN), ("200 OK", ORGANIZATION))) as peer:
        provider = at_peer("severa", outbound, peer.url)
        verified = provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    token, organization = received(peer)
    assert (token.method, token.target) == ("POST", "/rest-api/v1/token")
    assert token.headers["Content-Type"] == "application/json"
    assert json.loads(token.body) == {
        "client_id": "Acme_x.apps",
        "client_secret": "s3v",
        "scope": "organization:read,customers:read",
    }
    assert organization.target == "/rest-api/v1/organizationdetails"
    assert (organization.headers["Authorization"], organization.headers["Client_Id"]) == ("Bearer at", "Acme_x.apps")
    assert (verified.account.subject, verified.account.name) == (ORGANIZATION["guid"], "Konsultit Oy")
    assert verified.expires_in == 3600
    assert verified.credential.scope == ("organization:read", "customers:read")


def test_a_call_carries_the_client_id(outbound):
    provider = at_peer("severa", outbound, "http://127.0.0.1:1")
    held = OAuthCredential(access_token=Secret("at"), entered=ENTERED)
    assert provider.api_headers(CHOSEN, held) == {"Authorization": "Bearer at", "Client_Id": "Acme_x.apps"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "fields"),
    [
        (
            "401 Unauthorized",
            {"code": "invalid_client", "message": "no"},
            GrantRejected,
            ("severa_client_id", "severa_client_secret"),
        ),
        ("401 Unauthorized", "", GrantRejected, ()),
        ("400 Bad Request", {"code": "x", "message": "Invalid scope: hours:read"}, RightMissing, ()),
        ("415 Unsupported Media Type", {"code": "x", "message": "JSON"}, ClientRejected, ()),
    ],
)
def test_whose_turn_a_refused_token_request_is(status, body, kind, fields, outbound):
    with Peer(json_answers((status, body))) as peer:
        provider = at_peer("severa", outbound, peer.url)
        with pytest.raises(kind) as caught:
            provider.verify(CHOSEN, ENTERED, now=NOW, nonce="n")
    assert type(caught.value) is kind
    assert caught.value.fields == fields
