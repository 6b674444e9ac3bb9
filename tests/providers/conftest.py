"""A plain provider, a registration at it, and a door that may use loopback."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from providers.definition import (
    ApiErrorPaths,
    Environment,
    ExternalAccountLookup,
    ProviderDefinition,
    ScopeDescription,
)
from providers.messages import ClientRegistration, OAuthCredential, Secret
from providers.outbound import Outbound


@pytest.fixture
def environment() -> Environment:
    return Environment(
        issuer="https://login.example",
        authorization_endpoint="https://login.example/authorize?tenant=common",
        token_endpoint="https://login.example/token",
        revocation_endpoint="https://login.example/revoke",
        api_base_url="https://api.example/v1",
    )


@pytest.fixture
def definition(environment: Environment) -> ProviderDefinition:
    return ProviderDefinition(
        id="plain",
        display_name="Plain",
        documentation="https://docs.example/oauth",
        verified_on=dt.date(2026, 1, 2),
        environments={"production": environment},
        token_endpoint_auth_methods_supported=("client_secret_basic", "client_secret_post", "none"),
        required_scopes=("api",),
        default_scopes=("read",),
        scopes_supported=tuple(
            ScopeDescription(name=name, description=f"The {name} scope") for name in ("api", "read", "write")
        ),
        authorization_extra_parameters={"prompt": "select_account"},
        ui_locales_supported=("fi",),
        api_errors=ApiErrorPaths(code_path="Code", description_path="Text", id_path="Ref.Id"),
        external_account=ExternalAccountLookup(
            endpoint="{api_base_url}/me", subject_path="company.number", name_path="company.name"
        ),
    )


@pytest.fixture
def registration() -> ClientRegistration:
    return ClientRegistration(
        provider_id="plain",
        environment="production",
        client_id="client one",
        client_secrets=(Secret(":+%&é"), Secret("older")),
    )


@pytest.fixture
def credential() -> OAuthCredential:
    return OAuthCredential(access_token=Secret("access-1"), refresh_token=Secret("refresh-1"))


@pytest.fixture
def outbound() -> Iterator[Outbound]:
    door = Outbound(connect_timeout=2, total_timeout=5, allow_loopback=True)
    yield door
    door.close()
