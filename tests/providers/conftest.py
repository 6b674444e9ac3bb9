"""A plain provider, a registration at it, and a door that may use loopback."""

from __future__ import annotations

import pytest

from providers.definition import Environment, ProviderDefinition
from providers.messages import ClientRegistration, OAuthCredential, Secret
from providers.outbound import Outbound
from tests.providers import definitions


@pytest.fixture
def environment() -> Environment:
    return definitions.ENVIRONMENT


@pytest.fixture
def definition() -> ProviderDefinition:
    return definitions.plain_definition()


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
def outbound() -> Outbound:
    return Outbound(connect_timeout=2, total_timeout=5, allow_loopback=True)
