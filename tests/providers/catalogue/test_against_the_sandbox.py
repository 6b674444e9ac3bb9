"""The catalogue's reading of the documents against the sandbox's own: whoever is right, they have to agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.errors import AccountUnverified, ClientRejected, GrantRejected, ProviderError, RightMissing
from providers.messages import ClientRegistration, OAuthCredential, Secret, TokenResponse
from providers.outbound import Outbound
from providers.registry import AnyProvider, Registry
from tests.fakes.sandbox import PASSWORD, SandboxProcess, plain_client, walk_pages
from tests.providers.catalogue.at_peer import entered

REDIRECT = "https://broker.example/cb/1"
VERIFIER = "v" * 43
TENANT, OTHER = "af1140c1-52e0-46c7-b684-df894d4b8a5a", "8bdf18fd-21cc-11e9-b307-0aa512338dd6"
UUID, KEY = "99445728-5fd3-428a-96e1-ca0cab692276", "c35db559-dd4c-423d-9ca7-f334f94aa074"
SERVICE_SCOPES = {
    "visma-connect-service": ("vismanet_erp_service_api:read",),
    "visma-net-erp-service": (),
    "business-nxt-service": (),
}


@pytest.fixture
def registry(sandbox: SandboxProcess, outbound: Outbound, tmp_path: Path) -> Registry:
    folder = sandbox.write_local_catalogue(tmp_path / "catalogue")
    return Registry.load(outbound, folder, allow_loopback=True)


def chosen(provider_id: str, client_id: str = "ours", **more: Any) -> ClientRegistration:
    given = {"client_secrets": (Secret("our-secret"),), **more}
    return ClientRegistration(provider_id=provider_id, environment="local", client_id=client_id, **given)


def verify(provider: AnyProvider, registration: ClientRegistration, **fields: str) -> Any:
    provider.check_registration(registration)
    return provider.verify(registration, entered(**fields), now=dt.datetime.now(dt.UTC), nonce="n")


def refused(error: type[ProviderError], act: Callable[[], object]) -> ProviderError:
    with pytest.raises(error) as caught:
        act()
    assert type(caught.value) is error
    return caught.value


def signed_in(provider: AnyProvider, registration: ClientRegistration, **person: Any) -> TokenResponse:
    """The whole code flow: through the sandbox's pages as a browser, then the code's exchange."""
    request = provider.build_authorization_request(
        registration, redirect_uri=REDIRECT, state="state-1", code_verifier=VERIFIER
    )
    with plain_client() as client:
        target, posted = walk_pages(client, request.url, **person)
    answer = list(posted.items()) or [part.split("=", 1) for part in target.partition("?")[2].split("&")]
    pairs = [(name, value) for name, value in answer]
    code = provider.process_authorization_response(registration, pairs)
    return provider.exchange_code(registration, code=code, code_verifier=VERIFIER, redirect_uri=REDIRECT)


def connect_app(sandbox: SandboxProcess, **more: Any) -> None:
    system = sandbox.system("visma-connect")
    system.put("tenants", TENANT, {"name": "Acme Oy"})
    system.put("users", "anna@acme.example", {"password": PASSWORD, "tenants": [TENANT]})
    system.put("apps", "ours", {"secret": "our-secret", "redirect_uris": [REDIRECT], "type": "web", **more})


@pytest.mark.parametrize("provider_id", ["visma-net-erp", "business-nxt", "yuki"])
def test_a_product_on_visma_connect(provider_id, sandbox, registry):
    connect_app(sandbox)
    provider, registration = registry.get(provider_id), chosen(provider_id)
    tokens = signed_in(provider, registration, username="anna@acme.example")
    held = OAuthCredential(access_token=tokens.access_token, refresh_token=tokens.refresh_token)
    assert provider.identify(registration, held).subject == TENANT
    renewed = provider.renew(registration, held)
    refused(GrantRejected, lambda: provider.renew(registration, held))
    provider.revoke(registration, OAuthCredential(access_token=renewed.access_token))


def test_dinero_lists_the_organizations(sandbox, registry):
    connect_app(sandbox)
    provider, registration = registry.get("dinero"), chosen("dinero")
    tokens = signed_in(provider, registration, username="anna@acme.example")
    (company,) = provider.companies(registration, OAuthCredential(access_token=tokens.access_token))
    assert company.name == "Acme Oy"


def test_a_user_without_the_role_is_told_so(sandbox, registry):
    connect_app(sandbox)
    provider, registration = registry.get("visma-net-erp"), chosen("visma-net-erp")
    sandbox.system("visma-connect").change("tenants", TENANT, api_role=False)
    error = refused(RightMissing, lambda: signed_in(provider, registration, username="anna@acme.example"))
    assert "API User" in error.explanation


@pytest.mark.parametrize("provider_id", sorted(SERVICE_SCOPES))
def test_a_service_application(provider_id, sandbox, registry):
    system = sandbox.system("visma-connect")
    system.put("tenants", TENANT, {"name": "Acme Oy", "apps": ["ours"]})
    system.put("tenants", OTHER, {"name": "Beta Oy"})
    system.put("apps", "ours", {"secret": "our-secret", "type": "service"})
    provider, registration = registry.find(provider_id), chosen(provider_id, scopes=SERVICE_SCOPES[provider_id])
    assert verify(provider, registration, tenant_id=TENANT).account.subject == TENANT
    error = refused(RightMissing, lambda: verify(provider, registration, tenant_id=OTHER))
    assert error.fields == ("tenant_id",)
    wrong = chosen(provider_id, scopes=SERVICE_SCOPES[provider_id], client_secrets=(Secret("other"),))
    refused(ClientRejected, lambda: verify(provider, wrong, tenant_id=TENANT))


def test_visma_net(sandbox, registry):
    system = sandbox.system("visma-net")
    system.put("apps", "ours", {"secret": "our-secret", "redirect_uris": [REDIRECT]})
    companies = [{"id": "1014", "name": "Fjord AS"}, {"id": "1015", "name": "Fjell AS"}]
    system.put("users", "anna@acme.example", {"password": PASSWORD, "companies": companies})
    provider, registration = registry.get("visma-net"), chosen("visma-net")
    tokens = signed_in(provider, registration, username="anna@acme.example")
    assert (tokens.expires_in, tokens.refresh_token) == (None, None)
    held = OAuthCredential(access_token=tokens.access_token)
    assert [company.name for company in provider.companies(registration, held)] == ["Fjord AS", "Fjell AS"]
    dead = OAuthCredential(access_token=Secret("dead"))
    refused(GrantRejected, lambda: provider.companies(registration, dead))


def test_maventa(sandbox, registry):
    system = sandbox.system("maventa")
    system.put("vendors", "our-secret", {"enabled": True})
    system.put("companies", UUID, {"name": "Kallio Oy", "verified": True, "keys": {KEY: None}})
    provider, registration = registry.find("maventa"), chosen("maventa")
    verified = verify(provider, registration, company_uuid=UUID, user_api_key=KEY)
    assert (verified.account.subject, verified.account.name) == (UUID, "Kallio Oy")
    for fields, company, key in ((("user_api_key",), UUID, "x" * 36), (("company_uuid",), OTHER, KEY)):
        error = refused(
            GrantRejected, lambda c=company, k=key: verify(provider, registration, company_uuid=c, user_api_key=k)
        )
        assert error.fields == fields
    system.change("companies", UUID, verified=False)
    error = refused(AccountUnverified, lambda: verify(provider, registration, company_uuid=UUID, user_api_key=KEY))
    assert error.verified.account.name == "Kallio Oy"
    system.change("vendors", "our-secret", enabled=False)
    error = refused(ClientRejected, lambda: verify(provider, registration, company_uuid=UUID, user_api_key=KEY))
    assert error.fields == ("client_secret",)


def test_a_maventa_operator(sandbox, registry):
    sandbox.system("maventa").put("operators", "ours", {"secret": "our-secret", "scopes": ["operator:lookup"]})
    provider, registration = registry.find("maventa-operator"), chosen("maventa-operator")
    assert verify(provider, registration).account.subject == "ours"
    refused(ClientRejected, lambda: verify(provider, chosen("maventa-operator", client_secrets=(Secret("other"),))))


def test_payslip_both_ways(sandbox, registry):
    system = sandbox.system("maventa-payslip")
    system.put("accounts", UUID, {"user_api_key": KEY})
    system.put("logins", "palkat@yritys.fi", {"password": "pw"})
    provider, registration = registry.find("maventa-payslip"), chosen("maventa-payslip")
    assert verify(provider, registration, company_uuid=UUID, user_api_key=KEY).account.subject == UUID
    login = verify(provider, registration, username="palkat@yritys.fi", password="pw")
    assert login.account.subject == "palkat@yritys.fi"
    refused(GrantRejected, lambda: verify(provider, registration, company_uuid=UUID, user_api_key="x" * 36))
    refused(GrantRejected, lambda: verify(provider, registration, username="palkat@yritys.fi", password="no"))


def test_e_conomic(sandbox, registry):
    system = sandbox.system("e-conomic")
    system.put("apps", "our-secret", {"name": "Acme"})
    system.put("agreements", "gr4nt", {"number": 1234567, "company": "Kaffe ApS"})
    provider, registration = registry.find("e-conomic"), chosen("e-conomic")
    account = verify(provider, registration, grant_token="gr4nt").account
    assert (account.subject, account.name) == ("1234567", "Kaffe ApS")
    error = refused(GrantRejected, lambda: verify(provider, registration, grant_token="other"))
    assert error.fields == ("grant_token",)


def test_tripletex(sandbox, registry):
    system = sandbox.system("tripletex")
    system.put("consumers", "our-secret", {"name": "Acme"})
    system.put("employees", "empl0yee-token-x", {"company": "Fjord AS"})
    provider, registration = registry.find("tripletex"), chosen("tripletex")
    verified = verify(provider, registration, employee_token="empl0yee-token-x")
    assert verified.account.name == "Fjord AS"
    assert 0 < verified.expires_in <= 72000
    error = refused(GrantRejected, lambda: verify(provider, registration, employee_token="another-token-x"))
    assert error.fields == ("employee_token",)
    wrong = chosen("tripletex", client_secrets=(Secret("other"),))
    refused(ClientRejected, lambda: verify(provider, wrong, employee_token="empl0yee-token-x"))


def test_severa(sandbox, registry):
    app = {"secret": "s3v", "scopes": ["organization:read", "customers:read"], "company": "Konsultit Oy"}
    sandbox.system("severa").put("apps", "Acme_x.apps", app)
    provider, registration = registry.find("severa"), chosen("severa", client_secrets=())
    account = verify(provider, registration, severa_client_id="Acme_x.apps", severa_client_secret="s3v").account
    assert account.name == "Konsultit Oy"
    error = refused(
        GrantRejected,
        lambda: verify(provider, registration, severa_client_id="Acme_x.apps", severa_client_secret="no"),
    )
    assert error.fields == ("severa_client_id", "severa_client_secret")
    more = chosen("severa", client_secrets=(), scopes=("hours:write",))
    refused(RightMissing, lambda: verify(provider, more, severa_client_id="Acme_x.apps", severa_client_secret="s3v"))


def test_procountor(sandbox, registry):
    system = sandbox.system("procountor")
    system.put("apps", "ours", {"secret": "our-secret", "redirect_uri": REDIRECT})
    system.put("companies", "k3y-of-the-company", {"name": "Tilit Oy"})
    provider = registry.find("procountor")
    registration = chosen("procountor", parameters={"redirect_uri": REDIRECT})
    assert verify(provider, registration, api_key="k3y-of-the-company").account.name == "Tilit Oy"
    error = refused(GrantRejected, lambda: verify(provider, registration, api_key="k3y-of-another-one"))
    assert error.fields == ("api_key",)
    other = chosen("procountor", parameters={"redirect_uri": "https://other.example/"})
    refused(ClientRejected, lambda: verify(provider, other, api_key="k3y-of-the-company"))
