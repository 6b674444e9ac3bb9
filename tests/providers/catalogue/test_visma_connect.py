"""Visma Connect and the products on it: the browser's request, the token requests, and what their refusals mean."""

from __future__ import annotations

import datetime as dt
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.errors import AuthorizationResponseInvalid, ClientRejected, GrantRejected, RequestRefused, RightMissing
from providers.interface import CHOOSES_COMPANY, HANDS_OUT_TOKENS, MINTS_SCOPES, RENEWS, REVOKES
from providers.messages import OAuthCredential, Secret
from providers.registry import Registry, load_definitions
from tests.providers.catalogue.at_peer import CLIENT_SECRET, at_peer, entered, json_answers, received, registration
from tests.providers.peer import Peer

BROWSER = ("visma-connect", "visma-net-erp", "business-nxt", "dinero", "yuki")
SERVICE = ("visma-connect-service", "visma-net-erp-service", "business-nxt-service")
TENANT = "af1140c1-52e0-46c7-b684-df894d4b8a5a"
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def access_token(**claims: object) -> str:
    parts = ({"alg": "RS256"}, {"iss": "https://connect.visma.com", **claims})
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".c2ln"


@pytest.fixture
def registry(outbound) -> Registry:
    return Registry.load(outbound)


def address(registry: Registry, provider_id: str, **chosen: object) -> tuple[str, dict[str, list[str]]]:
    request = registry.get(provider_id).build_authorization_request(
        registration(provider_id, **chosen),
        redirect_uri="https://broker.example/cb/1",
        state="st",
        code_verifier="v" * 43,
    )
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", parse_qs(parts.query)


@pytest.mark.parametrize("provider_id", BROWSER)
@pytest.mark.parametrize(
    ("environment", "host"),
    [("production", "connect.visma.com"), ("staging", "connect.identity.stagaws.visma.com")],
)
def test_the_answer_is_asked_for_as_a_form_and_the_company_anew(registry, provider_id, environment, host):
    url, query = address(registry, provider_id, environment=environment)
    assert url == f"https://{host}/connect/authorize"
    assert query["response_mode"] == ["form_post"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["prompt"] == ["select_account"]
    assert "offline_access" in query["scope"][0].split()


@pytest.mark.parametrize(
    ("provider_id", "scope", "base_url"),
    [
        ("visma-net-erp", "offline_access vismanet_erp_interactive_api:read", "https://api.finance.visma.net"),
        (
            "business-nxt",
            "offline_access openid email business-graphql-api:access-group-based",
            "https://business.visma.net/api",
        ),
        ("dinero", "offline_access dineropublicapi:read", "https://api.dinero.dk/v1"),
        ("yuki", "offline_access yuki-nl-api:domain:companies:read", "https://apirest.yukiworks.com/api/v1"),
    ],
)
def test_each_product_has_its_scopes_and_its_address(registry, provider_id, scope, base_url):
    assert address(registry, provider_id)[1]["scope"] == [scope]
    assert registry.find(provider_id).base_url(registration(provider_id)) == base_url


def test_another_product_is_a_registration_with_scopes_and_an_address(registry):
    chosen = registration(
        "visma-connect",
        scopes=("acubiz-api:expenses:read",),
        parameters={"base_url": "https://api.acubiz.example/v2"},
    )
    provider = registry.get("visma-connect")
    provider.check_registration(chosen)
    assert provider.default_scopes(chosen) == ("offline_access", "acubiz-api:expenses:read")
    assert provider.base_url(chosen) == "https://api.acubiz.example/v2"
    provider.check_scopes(("acubiz-api:expenses:read",))


def test_production_announces_iss_so_an_answer_without_it_is_refused(registry):
    provider = registry.get("visma-net-erp")
    chosen = registration("visma-net-erp")
    with pytest.raises(AuthorizationResponseInvalid, match="iss_missing"):
        provider.process_authorization_response(chosen, [("code", "c")])
    with pytest.raises(AuthorizationResponseInvalid, match="iss_mismatch"):
        provider.process_authorization_response(chosen, [("code", "c"), ("iss", "https://connect.visma.com/")])
    assert provider.process_authorization_response(chosen, [("code", "c"), ("iss", "https://connect.visma.com")]) == "c"


@pytest.mark.parametrize("provider_id", BROWSER)
def test_the_code_is_exchanged_with_basic_and_the_verifier(provider_id, outbound):
    body = {"access_token": access_token(tenant_id=TENANT), "token_type": "Bearer", "expires_in": 3600}
    with Peer(json_answers(("200 OK", {**body, "refresh_token": "rt"}))) as peer:
        provider = at_peer(provider_id, outbound, peer.url)
        tokens = provider.exchange_code(
            registration(provider_id, client_id="isv:acme"),
            code="c",
            code_verifier="v" * 43,
            redirect_uri="https://broker.example/cb/1",
        )
    (sent,) = received(peer)
    assert (sent.method, sent.target) == ("POST", "/connect/token")
    assert sent.headers["Authorization"] == "Basic " + b64encode(f"isv%3Aacme:{CLIENT_SECRET}".encode()).decode()
    assert sent.form == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://broker.example/cb/1",
        "code_verifier": "v" * 43,
    }
    assert (tokens.expires_in, tokens.refresh_token) == (3600, Secret("rt"))


def test_refresh_and_revocation(outbound):
    body = {"access_token": "at", "token_type": "Bearer", "refresh_token": "rt-2"}
    with Peer(json_answers(("200 OK", body), ("200 OK", ""), ("200 OK", ""))) as peer:
        provider = at_peer("visma-net-erp", outbound, peer.url)
        held = OAuthCredential(access_token=Secret("at"), refresh_token=Secret("rt-1"))
        renewed = provider.renew(registration("visma-net-erp"), held)
        provider.revoke(registration("visma-net-erp"), held)
    refresh, revoke, _ = received(peer)
    assert refresh.form == {"grant_type": "refresh_token", "refresh_token": "rt-1"}
    assert (revoke.target, revoke.form["token"]) == ("/connect/revocation", "rt-1")
    # The response names no lifetime: an hour, as the vendor's pages say.
    assert (renewed.refresh_token, renewed.expires_in) == (Secret("rt-2"), 3600)


@pytest.mark.parametrize("provider_id", ["visma-connect", "visma-net-erp", "business-nxt", "yuki"])
def test_the_company_is_the_tokens_tenant_and_nobody_is_asked(registry, provider_id):
    provider = registry.get(provider_id)
    held = OAuthCredential(access_token=Secret(access_token(tenant_id=TENANT)))
    account = provider.identify(registration(provider_id), held)
    assert (account.issuer, account.subject) == ("https://connect.visma.com", TENANT)


def test_dineros_token_reaches_every_company_of_its_user(outbound):
    listed = [{"id": 123456, "name": "Kaffe ApS", "isPro": True}, {"id": 654321, "name": "Te ApS", "isPro": False}]
    with Peer(json_answers(("200 OK", listed))) as peer:
        provider = at_peer("dinero", outbound, peer.url)
        assert CHOOSES_COMPANY in provider.capabilities
        held = OAuthCredential(access_token=Secret("at"))
        first, second = provider.companies(registration("dinero"), held)
        _, account = provider.choose(registration("dinero"), held, second)
    assert (received(peer)[0].target, received(peer)[0].headers["Authorization"]) == ("/v1/organizations", "Bearer at")
    assert (first.id, first.name) == ("123456", "Kaffe ApS")
    assert (account.subject, account.name) == ("654321", "Te ApS")


@pytest.mark.parametrize(
    ("parameters", "rotation", "grace"),
    [
        ({}, "always", 0),
        ({"refresh_token_rotation": "none"}, "none", 0),
        ({"refresh_token_rotation": "always", "grace_seconds": "60"}, "always", 60),
    ],
)
def test_one_time_or_re_use_is_the_registrations_fact(registry, parameters, rotation, grace):
    traits = registry.get("visma-net-erp").traits(registration("visma-net-erp", parameters=parameters))
    assert (traits.refresh_token_rotation, traits.grace_seconds, traits.reuse_kills_family) == (rotation, grace, True)


def test_how_long_refresh_tokens_live_is_the_registrations_fact(registry):
    unknown = registry.get("visma-net-erp").traits(registration("visma-net-erp"))
    assert (unknown.refresh_token_lifetime_days, unknown.refresh_token_idle_days) == (None, None)
    days = {"refresh_token_lifetime_days": "365", "refresh_token_idle_days": "30"}
    known = registry.get("visma-net-erp").traits(registration("visma-net-erp", parameters=days))
    assert (known.refresh_token_lifetime_days, known.refresh_token_idle_days) == (365, 30)


@pytest.mark.parametrize(
    "parameters",
    [
        {"refresh_token_rotation": "sometimes"},
        {"grace_seconds": "61"},
        {"grace_seconds": "-1"},
        {"refresh_token_idle_days": "0"},
        {"refresh_token_lifetime_days": "never"},
    ],
)
def test_what_the_portal_does_not_offer_is_refused(registry, parameters):
    with pytest.raises(RequestRefused) as caught:
        registry.get("visma-net-erp").check_registration(registration("visma-net-erp", parameters=parameters))
    assert caught.value.field == f"parameters.{next(iter(parameters))}"


@pytest.mark.parametrize("provider_id", BROWSER)
def test_invalid_tenant_is_a_role_that_is_missing(provider_id, outbound):
    body = {"error": "invalid_tenant", "error_description": "The user has no access"}
    with Peer(json_answers(("400 Bad Request", body))) as peer:
        provider = at_peer(provider_id, outbound, peer.url)
        with pytest.raises(RightMissing) as caught:
            provider.exchange_code(
                registration(provider_id), code="c", code_verifier="v" * 43, redirect_uri="https://b.example/cb"
            )
    assert "API User" in caught.value.explanation
    assert "10 to 15 minutes" in caught.value.explanation


@pytest.mark.parametrize(("error", "kind"), [("invalid_grant", GrantRejected), ("invalid_client", ClientRejected)])
def test_the_standard_refusals_stay_the_standard_ones(error, kind, outbound):
    with Peer(json_answers(("400 Bad Request", {"error": error}))) as peer:
        provider = at_peer("visma-net-erp", outbound, peer.url)
        held = OAuthCredential(access_token=Secret("at"), refresh_token=Secret("rt"))
        with pytest.raises(kind):
            provider.renew(registration("visma-net-erp"), held)


@pytest.mark.parametrize("provider_id", SERVICE)
def test_a_service_asks_with_its_own_secret_and_the_customers_tenant(provider_id, outbound):
    body = {"access_token": access_token(tenant_id=TENANT), "token_type": "Bearer", "expires_in": 3600}
    with Peer(json_answers(("200 OK", body))) as peer:
        provider = at_peer(provider_id, outbound, peer.url)
        chosen = registration(provider_id, scopes=load_definitions()[provider_id].default_scopes or ("viskan:read",))
        verified = provider.verify(chosen, entered(tenant_id=TENANT), now=NOW, nonce="n")
    (sent,) = received(peer)
    assert (sent.method, sent.target) == ("POST", "/connect/token")
    assert sent.form == {
        "grant_type": "client_credentials",
        "scope": " ".join(chosen.scopes),
        "tenant_id": TENANT,
        "client_id": "isv_client",
        "client_secret": CLIENT_SECRET,
    }
    assert "Authorization" not in sent.headers
    assert (verified.account.subject, verified.expires_in) == (TENANT, 3600)
    assert provider.api_headers(chosen, verified.credential)["Authorization"].startswith("Bearer ")


def test_a_service_may_authenticate_with_basic(outbound):
    body = {"access_token": access_token(tenant_id=TENANT), "token_type": "Bearer"}
    with Peer(json_answers(("200 OK", body))) as peer:
        provider = at_peer("visma-net-erp-service", outbound, peer.url)
        chosen = registration("visma-net-erp-service", method="client_secret_basic")
        provider.mint(chosen, entered(tenant_id=TENANT), ("vismanet_erp_service_api:update",))
    (sent,) = received(peer)
    assert sent.headers["Authorization"].startswith("Basic ")
    assert sent.form == {
        "grant_type": "client_credentials",
        "scope": "vismanet_erp_service_api:update",
        "tenant_id": TENANT,
    }


@pytest.mark.parametrize("provider_id", SERVICE)
def test_a_service_that_is_not_granted_names_the_tenant_id(provider_id, outbound):
    with Peer(json_answers(("400 Bad Request", {"error": "invalid_tenant"}))) as peer:
        provider = at_peer(provider_id, outbound, peer.url)
        with pytest.raises(RightMissing) as caught:
            provider.verify(registration(provider_id), entered(tenant_id=TENANT), now=NOW, nonce="n")
    assert caught.value.fields == ("tenant_id",)
    assert "App Store" in caught.value.explanation


@pytest.mark.parametrize("provider_id", SERVICE)
def test_a_services_tenant_may_belong_to_one_of_ours_only(registry, provider_id):
    provider = registry.find(provider_id)
    assert provider.definition.exclusive_accounts
    assert {MINTS_SCOPES, HANDS_OUT_TOKENS, RENEWS} <= set(provider.capabilities)
    assert REVOKES not in provider.capabilities
