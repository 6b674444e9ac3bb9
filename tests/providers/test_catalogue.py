"""Every file of the catalogue: loads, has its papers, and can be walked through against a scripted peer."""

from __future__ import annotations

import datetime as dt
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from providers.generic import OAuthProvider
from providers.interface import Authorizes, Identifies, Provider, Renews, Revokes
from providers.messages import ClientRegistration, OAuthCredential, Secret
from providers.registry import load_definitions
from tests.providers.peer import Peer, answer

ALL = load_definitions()
# Whoever has no grants is served by a module of its own, which has its own tests.
OAUTH = sorted(each.id for each in ALL.values() if each.grant_types_supported)


def registration(definition, environment: str) -> ClientRegistration:
    return ClientRegistration(
        provider_id=definition.id,
        environment=environment,
        client_id="client",
        client_secrets=(Secret("secret"),),
    )


def nested(path: str, value: object) -> object:
    for step in reversed(path.split(".")):
        value = {step: value}
    return value


@pytest.mark.parametrize("provider_id", sorted(ALL))
def test_has_its_papers(provider_id):
    definition = load_definitions()[provider_id]
    assert definition.documentation.startswith("https://")
    assert definition.verified_on <= dt.date.today()  # noqa: DTZ011
    assert definition.display_name
    assert definition.connect.needs
    assert all(entry.description for entry in definition.scopes_supported)
    for evidence in definition.traits.evidence.values():
        assert evidence.source
        assert evidence.read_on <= dt.date.today()  # noqa: DTZ011


@pytest.mark.parametrize("provider_id", OAUTH)
def test_builds_an_authorization_request_in_every_environment(provider_id, outbound):
    provider = OAuthProvider(load_definitions()[provider_id], outbound)
    for name, environment in provider.definition.environments.items():
        chosen = registration(provider.definition, name)
        request = provider.build_authorization_request(
            chosen, redirect_uri="https://broker.example/cb/1", state="s" * 43, code_verifier="v" * 43
        )
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.url).query).items()}
        assert request.url.startswith(environment.authorization_endpoint)
        assert request.url.startswith(provider.authorization_origin(chosen) + "/")
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        assert query.items() >= provider.definition.authorization_extra_parameters.items()


@pytest.mark.parametrize("provider_id", OAUTH)
def test_walks_from_code_to_revocation(provider_id, outbound):
    definition = load_definitions()[provider_id]
    account = definition.external_account
    body = {"access_token": "at", "token_type": "Bearer", "expires_in": 60, "refresh_token": "rt"}

    def script(connection, peer):
        request = peer.read_request(connection)
        found = nested(account.subject_path, "5569") if account and request.startswith(b"GET") else body
        connection.sendall(answer("200 OK", json.dumps(found).encode()))

    with Peer(script) as peer:
        local = {
            field: f"{peer.url}/{field}"
            for field in ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "api_base_url")
        }
        environment = replace(next(iter(definition.environments.values())), **local)
        provider = OAuthProvider(replace(definition, environments={"local": environment}), outbound)
        chosen = registration(definition, "local")
        assert provider.process_authorization_response(chosen, [("code", "c"), ("iss", environment.issuer)]) == "c"
        tokens = provider.exchange_code(chosen, code="c", code_verifier="v" * 43, redirect_uri="https://b.example/cb")
        credential = OAuthCredential(access_token=tokens.access_token, refresh_token=tokens.refresh_token)
        assert provider.renew(chosen, credential).access_token == Secret("at")
        found = provider.identify(chosen, credential)
        assert (found.subject if found else None) == ("5569" if account else None)
        if environment.revocation_endpoint:
            provider.revoke(chosen, credential)
    assert len(peer.requests) == peer.connections


@pytest.mark.parametrize("provider_id", OAUTH)
def test_keeps_the_promises_of_the_interface(provider_id, outbound):
    provider = OAuthProvider(load_definitions()[provider_id], outbound)
    for protocol in (Provider, Authorizes, Renews, Revokes, Identifies):
        assert isinstance(provider, protocol)
