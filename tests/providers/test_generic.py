from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
from msgspec.structs import replace as replace_struct

from providers.errors import DefinitionError, GrantRejected, ProviderUnavailable, UnsupportedOperation
from providers.generic import OAuthProvider
from providers.messages import ExternalAccount, Secret
from tests.providers.peer import Peer, answering

TOKENS = json.dumps({"access_token": "at-2", "token_type": "Bearer", "refresh_token": "rt-2"}).encode()


@pytest.fixture
def provider_at(definition, environment, outbound):
    """The plain provider, living at a peer's address."""

    def provider_at(peer: Peer, **changes) -> OAuthProvider:
        local = replace_struct(
            environment,
            token_endpoint=f"{peer.url}/token",
            revocation_endpoint=f"{peer.url}/revoke",
            api_base_url=f"{peer.url}/v1",
        )
        return OAuthProvider(replace_struct(definition, **{"environments": {"production": local}, **changes}), outbound)

    return provider_at


def form(request: bytes) -> dict[str, list[str]]:
    return parse_qs(request.partition(b"\r\n\r\n")[2].decode())


class TestWhatNeedsNoRequest:
    def test_scopes_are_the_required_then_the_chosen_or_the_default(self, definition, registration, outbound):
        provider = OAuthProvider(definition, outbound)
        assert provider.default_scopes(registration) == ("api", "read")
        assert provider.default_scopes(replace(registration, scopes=("write", "api"))) == ("api", "write")

    def test_addresses_come_from_the_registrations_environment(self, definition, registration, outbound):
        provider = OAuthProvider(definition, outbound)
        assert provider.base_url(registration) == "https://api.example/v1"
        assert provider.issuer(registration) == "https://login.example"
        assert provider.authorization_origin(registration) == "https://login.example"

    def test_the_headers_carry_the_access_token(self, definition, registration, credential, outbound):
        headers = OAuthProvider(definition, outbound).api_headers(registration, credential)
        assert headers == {"Authorization": "Bearer access-1"}

    def test_an_environment_the_catalogue_lacks_is_named(self, definition, registration, outbound):
        with pytest.raises(DefinitionError, match="one of production"):
            OAuthProvider(definition, outbound).issuer(replace(registration, environment="moon"))

    def test_capabilities_follow_the_definition(self, definition, environment, outbound):
        assert OAuthProvider(definition, outbound).capabilities == (
            "authorizes",
            "renews",
            "revokes",
            "identifies",
            "probes",
            "hands_out_tokens",
            "hands_out_headers",
        )
        bare = replace_struct(
            definition,
            grant_types_supported=("authorization_code",),
            external_account=None,
            environments={"production": replace_struct(environment, revocation_endpoint=None)},
        )
        assert OAuthProvider(bare, outbound).capabilities == (
            "authorizes",
            "hands_out_tokens",
            "hands_out_headers",
        )


class TestTokens:
    def test_a_code_is_exchanged_with_one_post(self, provider_at, registration):
        with Peer(answering("200 OK", TOKENS)) as peer:
            tokens = provider_at(peer).exchange_code(
                registration, code="c", code_verifier="v" * 43, redirect_uri="https://b.example/cb"
            )
        assert tokens.access_token == Secret("at-2")
        assert len(peer.requests) == peer.connections == 1
        assert form(peer.requests[0])["code_verifier"] == ["v" * 43]

    @pytest.mark.parametrize("status", ["500 Oops", "429 Slow", "302 Found", "200 OK"])
    def test_a_renewal_is_one_post_whatever_comes_back(self, provider_at, registration, credential, status):
        with Peer(answering(status, b"<html>", "Location: /elsewhere")) as peer, pytest.raises(Exception):  # noqa: B017
            provider_at(peer).renew(registration, credential)
        assert peer.connections == 1

    def test_a_renewal_whose_answer_is_dropped_is_not_sent_again(self, provider_at, registration, credential):
        with Peer(lambda connection, peer: peer.read_request(connection)) as peer:
            with pytest.raises(ProviderUnavailable) as caught:
                provider_at(peer).renew(registration, credential)
        assert caught.value.uncertain
        assert (caught.value.provider_id, caught.value.endpoint) == ("plain", "token")
        assert form(peer.requests[0])["refresh_token"] == ["refresh-1"]
        assert peer.connections == 1

    def test_a_dead_grant_is_told_apart(self, provider_at, registration, credential):
        with (
            Peer(answering("400 Bad Request", b'{"error":"invalid_grant"}')) as peer,
            pytest.raises(GrantRejected),
        ):
            provider_at(peer).renew(registration, credential)

    def test_nothing_to_renew_with_is_said_without_a_request(self, provider_at, registration, credential):
        with Peer(answering("200 OK", TOKENS)) as peer:
            with pytest.raises(UnsupportedOperation):
                provider_at(peer).renew(registration, replace(credential, refresh_token=None))
            with pytest.raises(UnsupportedOperation) as caught:
                provider_at(peer, grant_types_supported=("authorization_code",)).renew(registration, credential)
        assert caught.value.operation == "renews"
        assert "renews" not in caught.value.supported
        assert peer.connections == 0


class TestRevoke:
    def test_the_refresh_token_goes_first(self, provider_at, registration, credential):
        with Peer(answering("200 OK")) as peer:
            provider_at(peer).revoke(registration, credential)
        sent = [(form(each)["token"][0], form(each)["token_type_hint"][0]) for each in peer.requests]
        assert sent == [("refresh-1", "refresh_token"), ("access-1", "access_token")]

    def test_a_failure_is_not_hidden(self, provider_at, registration, credential):
        with (
            Peer(answering("503 Busy", b"", "Retry-After: 3")) as peer,
            pytest.raises(ProviderUnavailable) as caught,
        ):
            provider_at(peer).revoke(registration, credential)
        assert caught.value.retry_after == 3

    def test_without_an_endpoint_is_unsupported(self, definition, environment, registration, credential, outbound):
        bare = replace_struct(environment, revocation_endpoint=None)
        provider = OAuthProvider(replace_struct(definition, environments={"production": bare}), outbound)
        with pytest.raises(UnsupportedOperation):
            provider.revoke(registration, credential)


class TestIdentify:
    def test_asks_the_api_once_with_the_access_token(self, provider_at, registration, credential):
        with Peer(answering("200 OK", b'{"company": {"number": "1-2", "name": "Aalto Oy"}}')) as peer:
            account = provider_at(peer).identify(registration, credential)
        assert account == ExternalAccount(issuer="https://login.example", subject="1-2", name="Aalto Oy")
        assert peer.requests[0].startswith(b"GET /v1/me HTTP/1.1\r\n")
        assert b"Authorization: Bearer access-1" in peer.requests[0]

    def test_is_none_where_nothing_is_known(self, provider_at, registration, credential):
        with Peer(answering("200 OK")) as peer:
            assert provider_at(peer, external_account=None).identify(registration, credential) is None
        assert peer.connections == 0
