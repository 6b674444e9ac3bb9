"""The two signing providers as their files describe them, with a door that may use loopback."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from providers.messages import ClientRegistration, EnteredCredential, Secret
from providers.registry import Registry

VECTORS = Path(__file__).parents[2] / "vectors"
NOW = dt.datetime(2025, 6, 26, 20, 9, 50, 123456, tzinfo=dt.UTC)
NONCE = "6f0c1f5e-8e2b-4c38-a9b4-0d7d3f1a2b3c"


def vectors(name: str) -> list[dict]:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def registration(provider_id: str, *, client_id: str, secret: str, **parameters: str) -> ClientRegistration:
    return ClientRegistration(
        provider_id=provider_id,
        environment="production",
        client_id=client_id,
        client_secrets=(Secret(secret),),
        parameters=parameters,
    )


def credential(**fields: str) -> EnteredCredential:
    return EnteredCredential(fields={name: Secret(value) for name, value in fields.items()})


@pytest.fixture
def registry(outbound) -> Registry:
    return Registry.load(outbound, allow_loopback=True)
