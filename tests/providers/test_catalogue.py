"""Every file of the catalogue: loads, has its papers, and can be walked through against a scripted peer."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace as with_
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from providers.entered import EnteredProvider
from providers.generic import OAuthProvider
from providers.interface import (
    AUTHORIZES,
    CHOOSES_COMPANY,
    HANDS_OUT_TOKENS,
    IDENTIFIES,
    MINTS_SCOPES,
    PROBES,
    RENEWS,
    REVOKES,
    SIGNS_REQUESTS,
    VERIFIES,
    Authorizes,
    ChoosesCompany,
    Identifies,
    Mints,
    Probes,
    Provider,
    Renews,
    Revokes,
    SignsRequests,
    Verifies,
)
from providers.messages import ClientRegistration, OAuthCredential, RequestToSign, Secret
from providers.protocol.entered import read_entered
from providers.registry import Registry, load_definitions
from tests.providers.peer import Peer, answer
from tests.providers.tokens import jwt

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
PROTOCOLS = {
    AUTHORIZES: Authorizes,
    RENEWS: Renews,
    REVOKES: Revokes,
    IDENTIFIES: Identifies,
    CHOOSES_COMPANY: ChoosesCompany,
    PROBES: Probes,
    MINTS_SCOPES: Mints,
    VERIFIES: Verifies,
    SIGNS_REQUESTS: SignsRequests,
}
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
        mode = provider.definition.response_modes_supported[0]
        assert query.get("response_mode", "query") == mode


def tokens_of(definition, **more: object) -> object:
    """A token response in this provider's own form."""
    quirks, lookup = definition.quirks, definition.external_account
    claim = lookup.access_token_claim if lookup else ""
    issuer = next(iter(definition.environments.values())).issuer
    token = jwt({"iss": issuer, claim: "5569"}) if claim else "at"
    body = {quirks.access_token_member: token, quirks.token_type_member: "Bearer", "expires_in": 60, **more}
    return nested(quirks.token_response_path, body) if quirks.token_response_path else body


def account_of(definition) -> object:
    """What the API answers when it is asked for the account, or for the companies."""
    lookup, choice = definition.external_account, definition.company_choice
    if choice is not None:
        entry = {**nested(choice.id_path, "5569"), **nested(choice.name_path, "Aalto Oy")}
        return nested(choice.list_path, [entry]) if choice.list_path else [entry]
    if lookup is not None and lookup.body_ok:
        return lookup.body_ok[0]
    return nested(lookup.subject_path, "5569") if lookup and lookup.subject_path else {}


def scripted(definition, **more: object):
    """A peer that is this provider: its token endpoint beneath /token_endpoint, its API everywhere else."""

    def script(connection, peer):
        request = peer.read_request(connection)
        at_token_endpoint = b"/token_endpoint" in request.partition(b" HTTP/")[0]
        found = tokens_of(definition, **more) if at_token_endpoint else account_of(definition)
        body = found if isinstance(found, str) else json.dumps(found)
        connection.sendall(answer("200 OK", body.encode()))

    return script


def local(definition, peer: Peer):
    """The definition with one environment, which is the peer."""
    fields = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint", "api_base_url")
    environment = replace(
        next(iter(definition.environments.values())), **{field: f"{peer.url}/{field}" for field in fields}
    )
    return replace(definition, environments={"local": environment})


@pytest.mark.parametrize("provider_id", OAUTH)
def test_walks_from_code_to_revocation(provider_id, outbound):
    definition = load_definitions()[provider_id]
    with Peer(scripted(definition, refresh_token="rt")) as peer:
        provider = OAuthProvider(local(definition, peer), outbound)
        chosen = registration(definition, "local")
        issuer = provider.issuer(chosen)
        assert provider.process_authorization_response(chosen, [("code", "c"), ("iss", issuer)]) == "c"
        tokens = provider.exchange_code(chosen, code="c", code_verifier="v" * 43, redirect_uri="https://b.example/cb")
        credential = OAuthCredential(access_token=tokens.access_token, refresh_token=tokens.refresh_token)
        account = provider.identify(chosen, credential)
        if CHOOSES_COMPANY in provider.capabilities:
            (company,) = provider.companies(chosen, credential)
            credential, account = provider.choose(chosen, credential, company)
        assert account.subject == "5569"
        if RENEWS in provider.capabilities:
            assert provider.renew(chosen, credential).access_token == tokens.access_token
        if PROBES in provider.capabilities:
            assert provider.probe(chosen, credential, now=NOW, nonce="n") == account
        provider.revoke(chosen, credential)
        request = RequestToSign(method="GET", url=f"{provider.base_url(chosen)}/any")
        signed = provider.request_headers(chosen, credential, request, now=NOW, nonce="n")
    # Where the company goes into a header; elsewhere it is part of the path, or of the token.
    assert ("5569" in str(signed.headers)) == ("extras." in str(definition.api_headers))
    assert len(peer.requests) == peer.connections


def entered_values(definition, way: str) -> dict[str, str]:
    """A form filled in as the file says it looks like."""
    fields = [field for field in definition.entered_fields if field.way in ("", way)]
    return {field.name: field.example or example_of(field.pattern) for field in fields}


def example_of(pattern: str) -> str:
    candidates = ("abc123", "0123456789abcdef" * 2, "a" * 40, "af1140c1-52e0-46c7-b684-df894d4b8a5a", "1234")
    return next(text for text in candidates if re.fullmatch(pattern, text))


def parameters_of(definition) -> dict[str, str]:
    fields = [field for field in definition.registration_fields if field.name not in ("client_id", "client_secret")]
    required = [field for field in fields if not field.optional and not field.default]
    return {field.name: field.choices[0] if field.choices else "https://b.example/cb" for field in required}


WAYS = [
    (each.id, way)
    for each in ALL.values()
    if not each.grant_types_supported and each.signing is None
    for way in sorted({field.way for field in each.entered_fields if field.way} or {""})
]


@pytest.mark.parametrize(("provider_id", "way"), WAYS)
def test_walks_from_the_form_to_a_call(provider_id, way, outbound):
    definition = load_definitions()[provider_id]
    with Peer(scripted(definition)) as peer:
        provider = EnteredProvider(local(definition, peer), outbound)
        chosen = with_(registration(definition, "local"), parameters=parameters_of(definition))
        provider.check_registration(chosen)
        entered = read_entered(definition, entered_values(definition, way))
        verified = provider.verify(chosen, entered, now=NOW, nonce="n")
        assert verified.account.subject
        if HANDS_OUT_TOKENS in provider.capabilities:
            assert verified.credential.entered == entered
            assert provider.renew(chosen, verified.credential).access_token == verified.credential.access_token
        if MINTS_SCOPES in provider.capabilities:
            assert provider.mint(chosen, entered, provider.default_scopes(chosen)).access_token
        if PROBES in provider.capabilities:
            assert provider.probe(chosen, verified.credential, now=NOW, nonce="n") == verified.account
        request = RequestToSign(method="GET", url=f"{provider.base_url(chosen)}/any")
        signed = provider.request_headers(chosen, verified.credential, request, now=NOW, nonce="n")
        assert signed.headers
    secrets = [secret.reveal() for secret in entered.fields.values()]
    # Only a token endpoint may want secrets in its address.
    lines = [request.split(b"\r\n")[0] for request in peer.requests]
    assert not [line for line in lines if b"secret" in line and b" /token_endpoint?" not in line]
    assert [text for text in secrets if text in repr(verified) and text != verified.account.subject] == []


@pytest.mark.parametrize("provider_id", sorted(ALL))
def test_keeps_the_promises_of_the_interface(provider_id, outbound):
    provider = Registry.load(outbound).find(provider_id)
    assert isinstance(provider, Provider)
    for capability, protocol in PROTOCOLS.items():
        assert capability not in provider.capabilities or isinstance(provider, protocol)
