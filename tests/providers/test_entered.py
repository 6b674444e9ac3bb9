"""A provider that a customer gives values for: each kind against a peer on a real socket."""

from __future__ import annotations

import datetime as dt
import json
from base64 import b64encode

import pytest
from msgspec.structs import replace

from providers.definition import EnteredField, ExternalAccountLookup, KnownRefusal, Minting, Quirks, RegistrationField
from providers.entered import EnteredProvider
from providers.errors import (
    AccountUnverified,
    ClientRejected,
    GrantRejected,
    RequestRefused,
    ResponseMalformed,
    RightMissing,
    UnsupportedOperation,
)
from providers.interface import MINTS_SCOPES, PROBES, RENEWS, Mints, Probes, Provider, Renews, Verifies
from providers.messages import ClientRegistration, EnteredCredential, OAuthCredential, RequestToSign, Secret
from tests.providers.peer import Peer, answer
from tests.providers.tokens import jwt

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ENTERED = EnteredCredential(fields={"company": Secret("c-1"), "key": Secret("canary-key")})
TOKEN = {"access_token": "at-1", "token_type": "bearer", "expires_in": 60}
ME = {"company": {"number": "5569", "name": "Aalto Oy"}}
REFUSALS = (
    KnownRefusal(means="account_unverified", error="unverified", text="Wait.", fields=("company",)),
    KnownRefusal(means="right_missing", error="invalid_tenant", text="Grant the right."),
)


@pytest.fixture
def minting(definition):
    return replace(
        definition,
        grant_types_supported=(),
        minting=Minting(
            parameters={"client_id": "{company}", "client_secret": "{key}", "scope": "{scope}"},
            scopes_on_request=True,
        ),
        entered_fields=(
            EnteredField(name="company", label="Company"),
            EnteredField(name="key", label="Key", secret=True),
        ),
        refusals=REFUSALS,
    )


@pytest.fixture
def static(minting):
    return replace(minting, minting=None, api_authorization="none", api_headers={"X-Key": "{key}"})


def serving(token: object = TOKEN, me: object = ME, *, token_status: str = "200 OK", me_status: str = "200 OK") -> Peer:
    """A peer whose token endpoint says `token`, and whose API says `me`."""

    def script(connection, peer):
        at_token = b" /token" in peer.read_request(connection)[:40]
        status, body = (token_status, token) if at_token else (me_status, me)
        connection.sendall(answer(status, body if isinstance(body, bytes) else json.dumps(body).encode()))

    return Peer(script)


@pytest.fixture
def provider_at(environment, outbound):
    def provider_at(peer: Peer, definition, **changes) -> EnteredProvider:
        local = replace(environment, token_endpoint=f"{peer.url}/token", api_base_url=f"{peer.url}/v1")
        return EnteredProvider(replace(definition, environments={"production": local}, **changes), outbound)

    return provider_at


class TestVerify:
    def test_a_token_is_minted_and_the_account_asked_for_once_each(self, provider_at, minting, registration):
        with serving() as peer:
            verified = provider_at(peer, minting).verify(registration, ENTERED, now=NOW, nonce="n")
        token, me = peer.requests
        assert token.startswith(b"POST /token HTTP/1.1")
        assert token.endswith(b"client_id=c-1&client_secret=canary-key&scope=api+read")
        assert me.startswith(b"GET /v1/me HTTP/1.1")
        assert b"Authorization: Bearer at-1" in me
        held = verified.credential
        assert (held.access_token, held.entered, held.scope) == (Secret("at-1"), ENTERED, ("api", "read"))
        assert (verified.account.subject, verified.account.name, verified.expires_in) == ("5569", "Aalto Oy", 60)
        assert "canary" not in repr(verified)

    def test_fewer_scopes_than_asked_for_are_those_that_were_granted(self, provider_at, minting, registration):
        with serving({**TOKEN, "scope": "api"}) as peer:
            verified = provider_at(peer, minting).verify(registration, ENTERED, now=NOW, nonce="n")
        assert verified.credential.scope == ("api",)

    def test_headers_alone_are_verified_with_one_call(self, provider_at, static, registration):
        with serving() as peer:
            verified = provider_at(peer, static).verify(registration, ENTERED, now=NOW, nonce="n")
        (me,) = peer.requests
        assert b"X-Key: canary-key" in me
        assert b"Authorization" not in me
        assert (verified.credential, verified.account.subject, verified.expires_in) == (ENTERED, "5569", None)

    def test_a_claim_of_the_minted_token_needs_no_call(self, provider_at, minting, registration):
        token = jwt({"iss": "https://login.example", "tenant_id": "t-1"})
        lookup = ExternalAccountLookup(access_token_claim="tenant_id")
        with serving({**TOKEN, "access_token": token}) as peer:
            provider = provider_at(peer, minting, external_account=lookup)
            verified = provider.verify(registration, ENTERED, now=NOW, nonce="n")
            with pytest.raises(UnsupportedOperation):
                provider.probe(registration, verified.credential, now=NOW, nonce="n")
        assert (verified.account.subject, len(peer.requests)) == ("t-1", 1)

    @pytest.mark.parametrize(
        ("token", "token_status", "me", "me_status", "kind"),
        [
            ({"error": "invalid_grant"}, "400 No", ME, "200 OK", GrantRejected),
            ({"error": "invalid_tenant"}, "400 No", ME, "200 OK", RightMissing),
            (TOKEN, "200 OK", b"", "401 No", GrantRejected),
            (TOKEN, "200 OK", b"", "403 No", RightMissing),
            (TOKEN, "200 OK", {"Code": "unverified"}, "401 No", AccountUnverified),
            (TOKEN, "200 OK", b"<html>", "200 OK", ResponseMalformed),
        ],
    )
    def test_whose_turn_it_is(self, provider_at, minting, registration, token, token_status, me, me_status, kind):
        with serving(token, me, token_status=token_status, me_status=me_status) as peer:
            with pytest.raises(kind) as caught:
                provider_at(peer, minting).verify(registration, ENTERED, now=NOW, nonce="n")
        assert "canary" not in f"{caught.value} {caught.value.__dict__}"

    def test_a_refusal_that_the_catalogue_knows_names_the_field_and_the_next_step(
        self, provider_at, minting, registration
    ):
        with (
            serving({"error": "unverified"}, token_status="401 No") as peer,
            pytest.raises(AccountUnverified) as caught,
        ):
            provider_at(peer, minting).verify(registration, ENTERED, now=NOW, nonce="n")
        assert (caught.value.fields, caught.value.explanation) == (("company",), "Wait.")

    @pytest.mark.parametrize("told", [True, False])
    def test_a_bare_401_may_speak_of_what_was_entered(self, provider_at, minting, registration, told):
        quirks = Quirks(unauthorized_means_grant_rejected=told)
        kind = GrantRejected if told else ClientRejected
        with serving(b"", token_status="401 No") as peer, pytest.raises(kind):
            provider_at(peer, minting, quirks=quirks).verify(registration, ENTERED, now=NOW, nonce="n")

    def test_an_expiry_that_is_an_instant_counts_from_now(self, provider_at, minting, registration):
        quirks = Quirks(access_token_member="t", token_type_may_be_absent=True, expires_at_member="until")
        with serving({"t": "at-1", "until": "2026-11-21T12:10:00Z"}) as peer:
            verified = provider_at(peer, minting, quirks=quirks).verify(registration, ENTERED, now=NOW, nonce="n")
        assert verified.expires_in == 600


class TestTokens:
    def test_renewing_mints_again_for_the_registrations_scopes(self, provider_at, minting, registration):
        held = OAuthCredential(access_token=Secret("old"), entered=ENTERED, scope=("api",))
        with serving() as peer:
            tokens = provider_at(peer, minting).renew(registration, held)
        assert (tokens.access_token, tokens.expires_in, len(peer.requests)) == (Secret("at-1"), 60, 1)
        assert b"scope=api+read" in peer.requests[0]

    def test_scopes_of_its_own_for_each_caller(self, provider_at, minting, registration):
        with serving() as peer:
            provider = provider_at(peer, minting)
            provider.mint(registration, ENTERED, ("write",))
            with pytest.raises(RequestRefused) as caught:
                provider.mint(registration, ENTERED, ("write", "unheard"))
        assert b"scope=write" in peer.requests[0]
        assert (caught.value.field, len(peer.requests)) == ("scope", 1)

    def test_without_anything_to_mint_from_there_is_none(self, provider_at, minting, static, registration):
        with serving() as peer:
            for provider, held in (
                (provider_at(peer, minting), OAuthCredential(access_token=Secret("a"))),
                (provider_at(peer, static), OAuthCredential(access_token=Secret("a"), entered=ENTERED)),
            ):
                with pytest.raises(UnsupportedOperation):
                    provider.renew(registration, held)
        assert peer.connections == 0

    def test_minting_uses_nothing_up_whatever_is_said_of_refresh_tokens(self, provider_at, minting, registration):
        with serving() as peer:
            traits = provider_at(peer, minting).traits(registration)
        assert (traits.refresh_token_rotation, traits.grace_seconds) == ("none", 0)


class TestProbe:
    def test_one_call_with_what_is_held(self, provider_at, minting, static, registration):
        held = OAuthCredential(access_token=Secret("at-9"), entered=ENTERED)
        with serving() as peer:
            assert provider_at(peer, minting).probe(registration, held, now=NOW, nonce="n").subject == "5569"
            assert provider_at(peer, static).probe(registration, ENTERED, now=NOW, nonce="n").subject == "5569"
        assert [request.split(b" ")[1] for request in peer.requests] == [b"/v1/me", b"/v1/me"]
        assert b"Bearer at-9" in peer.requests[0]

    def test_refused_is_refused(self, provider_at, static, registration):
        with serving(me=b"", me_status="401 No") as peer, pytest.raises(GrantRejected):
            provider_at(peer, static).probe(registration, ENTERED, now=NOW, nonce="n")


class TestHeaders:
    HELD = OAuthCredential(access_token=Secret("at-9"), entered=ENTERED)

    @pytest.fixture
    def ask(self, provider_at, minting, registration):
        def ask(peer: Peer, url: str, **request: str):
            provider = provider_at(peer, minting, api_authorization="basic", api_basic_user="0", api_paths=("/a/**",))
            asked = RequestToSign(method="POST", url=url, **request)
            until = NOW + dt.timedelta(hours=1)
            return provider.request_headers(registration, self.HELD, asked, now=NOW, nonce="n", expires_at=until)

        return ask

    def test_of_a_minted_token_are_good_until_it_ends(self, ask):
        with serving() as peer:
            signed = ask(peer, f"{peer.url}/v1/a/b?c=d", content_type="application/json")
        assert signed.headers == {
            "Authorization": f"Basic {b64encode(b'0:at-9').decode()}",
            "Content-Type": "application/json",
        }
        assert (signed.single_use, signed.valid_until) == (False, NOW + dt.timedelta(hours=1))
        assert signed.transaction_id is None

    @pytest.mark.parametrize("tail", ["/v1/b", "/v1/a/../b", "/v1/a/b#x", "/v2/a/b", ".evil.example/v1/a/b"])
    def test_are_for_the_api_only(self, ask, tail):
        with serving() as peer, pytest.raises(RequestRefused) as caught:
            ask(peer, peer.url + tail)
        assert caught.value.field == "url"

    def test_cannot_be_broken_by_a_content_type(self, ask):
        with serving() as peer, pytest.raises(RequestRefused) as caught:
            ask(peer, f"{peer.url}/v1/a/b", content_type="a/b\r\nX: 1")
        assert caught.value.field == "content_type"

    def test_that_never_end_have_no_end(self, provider_at, static, registration):
        with serving() as peer:
            request = RequestToSign(method="GET", url=f"{peer.url}/v1/a")
            signed = provider_at(peer, static).request_headers(registration, ENTERED, request, now=NOW, nonce="n")
        assert (signed.headers, signed.valid_until) == ({"X-Key": "canary-key"}, None)


def test_its_own_address_is_where_the_account_is_asked_for(static, outbound):
    own = RegistrationField(name="own", label="Own", optional=True)
    provider = EnteredProvider(
        replace(static, base_url_parameter="own", registration_fields=(own,)), outbound, allow_loopback=True
    )
    with serving() as peer:
        elsewhere = ClientRegistration(
            provider_id="plain", environment="production", client_id="c", parameters={"own": f"{peer.url}/own"}
        )
        provider.verify(elsewhere, ENTERED, now=NOW, nonce="n")
    assert peer.requests[0].startswith(b"GET /own/me ")


def test_it_keeps_the_promises_of_the_interface(provider_at, minting, static):
    with serving() as peer:
        both = provider_at(peer, minting), provider_at(peer, static)
    for provider in both:
        for protocol in (Provider, Verifies, Mints, Renews, Probes):
            assert isinstance(provider, protocol)
    assert {RENEWS, MINTS_SCOPES, PROBES} <= set(both[0].capabilities)
    assert not {RENEWS, MINTS_SCOPES} & set(both[1].capabilities)
