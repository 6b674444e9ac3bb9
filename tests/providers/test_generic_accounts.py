"""Whose account a token opens, at a provider where somebody signs in: asked, claimed, chosen, probed."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace as replace_struct

from providers.definition import CompanyChoice, ExternalAccountLookup
from providers.errors import ClientRejected, GrantRejected, RightMissing, UnsupportedOperation
from providers.generic import OAuthProvider
from providers.interface import CHOOSES_COMPANY
from providers.messages import Company, ExternalAccount, Secret
from tests.providers.peer import Peer, answering
from tests.providers.tokens import jwt

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ISSUER = "https://login.example"
CHOICE = CompanyChoice(endpoint="{api_base_url}/contexts", id_path="id", name_path="name")
LIST = json.dumps([{"id": 7, "name": "Aalto Oy"}, {"id": 8, "name": "Mallioy"}]).encode()


@pytest.fixture
def provider_at(definition, environment, outbound):
    def provider_at(peer: Peer, **changes) -> OAuthProvider:
        local = replace_struct(environment, api_base_url=f"{peer.url}/v1")
        return OAuthProvider(replace_struct(definition, **{"environments": {"production": local}, **changes}), outbound)

    return provider_at


class TestCompanies:
    @pytest.fixture
    def at(self, provider_at):
        def at(peer: Peer) -> OAuthProvider:
            headers = {"X-Company": "{extras.company_id}"}
            return provider_at(peer, company_choice=CHOICE, external_account=None, api_headers=headers)

        return at

    def test_one_is_chosen_of_those_that_the_token_reaches(self, at, registration, credential):
        with Peer(answering("200 OK", LIST)) as peer:
            provider = at(peer)
            companies = provider.companies(registration, credential)
            chosen, account = provider.choose(registration, credential, companies[1])
        assert CHOOSES_COMPANY in provider.capabilities
        assert companies == (Company(id="7", name="Aalto Oy"), Company(id="8", name="Mallioy"))
        assert account == ExternalAccount(issuer=ISSUER, subject="8", name="Mallioy")
        assert provider.api_headers(registration, chosen) == {"Authorization": "Bearer access-1", "X-Company": "8"}
        assert b"X-Company" not in peer.requests[0]
        assert (chosen.access_token, chosen.refresh_token) == (credential.access_token, credential.refresh_token)

    def test_a_probe_sees_whether_the_company_is_still_among_them(self, at, registration, credential):
        with Peer(answering("200 OK", LIST)) as peer:
            provider = at(peer)
            held = replace(credential, extras={"company_id": "7"})
            assert provider.probe(registration, held, now=NOW, nonce="n").subject == "7"
            assert provider.probe(registration, credential, now=NOW, nonce="n") is None
            with pytest.raises(RightMissing) as caught:
                provider.probe(registration, replace(credential, extras={"company_id": "9"}), now=NOW, nonce="n")
        assert caught.value.error == "company_not_found"

    def test_a_token_that_is_refused_is_refused(self, at, registration, credential):
        with Peer(answering("401 No")) as peer:
            with pytest.raises(GrantRejected):
                at(peer).companies(registration, credential)
            with pytest.raises(GrantRejected):
                at(peer).probe(registration, credential, now=NOW, nonce="n")

    def test_others_have_none(self, provider_at, registration, credential):
        with Peer(answering("200 OK")) as peer, pytest.raises(UnsupportedOperation):
            provider_at(peer).companies(registration, credential)
        assert peer.connections == 0


class TestProbe:
    def test_asks_whose_account_it_is(self, provider_at, registration, credential):
        with Peer(answering("200 OK", b'{"company": {"number": "1-2"}}')) as peer:
            assert provider_at(peer).probe(registration, credential, now=NOW, nonce="n").subject == "1-2"
        assert peer.requests[0].startswith(b"GET /v1/me ")

    def test_may_say_that_the_credential_is_refused_and_identify_may_not(self, provider_at, registration, credential):
        with Peer(answering("401 No", b'{"error": "invalid_token"}')) as peer:
            provider = provider_at(peer)
            with pytest.raises(GrantRejected):
                provider.probe(registration, credential, now=NOW, nonce="n")
            with pytest.raises(ClientRejected) as caught:
                provider.identify(registration, credential)
        assert (caught.value.status, caught.value.error) == (401, "invalid_token")

    @pytest.mark.parametrize("lookup", [None, ExternalAccountLookup(access_token_claim="tenant_id")])
    def test_is_unsupported_where_nothing_could_be_asked(self, provider_at, registration, credential, lookup):
        with Peer(answering("200 OK")) as peer, pytest.raises(UnsupportedOperation):
            provider_at(peer, external_account=lookup).probe(registration, credential, now=NOW, nonce="n")
        assert peer.connections == 0


def test_a_claim_tells_whose_account_it_is(provider_at, registration, credential):
    lookup = ExternalAccountLookup(access_token_claim="tenant_id")
    held = replace(credential, access_token=Secret(jwt({"iss": ISSUER, "tenant_id": "t-1"})))
    with Peer(answering("200 OK")) as peer:
        account = provider_at(peer, external_account=lookup).identify(registration, held)
    assert (account, peer.connections) == (ExternalAccount(issuer=ISSUER, subject="t-1"), 0)


@pytest.mark.parametrize(("mode", "sent"), [("form_post", ["form_post"]), ("query", None)])
def test_an_answer_may_be_asked_for_as_a_post(definition, registration, outbound, mode, sent):
    provider = OAuthProvider(replace_struct(definition, response_modes_supported=(mode,)), outbound)
    request = provider.build_authorization_request(
        registration, redirect_uri="https://b.example/cb", state="s", code_verifier="v" * 43
    )
    assert parse_qs(urlsplit(request.url).query).get("response_mode") == sent
