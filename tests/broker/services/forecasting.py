"""Providers whose authorizations end in each way, and connections at any point of their lives."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.services import directory, register
from providers.messages import Secret
from tenants.models import ClientRegistration, Connection, Credential, RenewalSlot, Tenant
from tests import people

DAY = timedelta(days=1)
NOW = datetime(2027, 3, 10, 12, tzinfo=UTC)
PLAIN = """
id = "{id}"
display_name = "Test"
documentation = "https://docs.test.example"
verified_on = 2026-11-21
grant_types_supported = {grants}
[environments.production]
issuer = "https://login.test.example"
authorization_endpoint = "https://login.test.example/authorize"
token_endpoint = "https://login.test.example/token"
api_base_url = "https://api.test.example"
[traits]
{traits}
"""
EVIDENCE = '[traits.evidence.{name}]\nsource = "made up"\nread_on = 2026-11-21\n'
PROVIDERS: dict[str, dict[str, int | str | bool]] = {
    "idle-45": {"refresh_token_idle_days": 45},
    "restarting-60": {
        "refresh_token_rotation": "always",
        "refresh_token_lifetime_days": 60,
        "rotation_restarts_lifetime": True,
    },
    "absolute-90": {"refresh_token_lifetime_days": 90},
    "unrenewable": {},
}


@pytest.fixture
def catalogue(db: None, tmp_path: Path, settings: Any) -> Iterator[None]:
    for provider_id, traits in PROVIDERS.items():
        lines = [f"{name} = {_toml(value)}" for name, value in traits.items()]
        text = "\n".join([*lines, *(EVIDENCE.format(name=name) for name in traits)])
        grants = ["authorization_code"] if provider_id == "unrenewable" else ["authorization_code", "refresh_token"]
        (tmp_path / f"{provider_id}.toml").write_text(PLAIN.format(id=provider_id, traits=text, grants=grants))
    settings.CATALOGUE_DIRECTORY = str(tmp_path)
    directory.registry.cache_clear()
    yield
    directory.registry.cache_clear()


def _toml(value: int | str | bool) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@pytest.fixture
def tenant() -> Tenant:
    return register.create_tenant("aalto", name="Aalto Oy", actor=people.STAFF)


def registered(provider_id: str, **columns: Any) -> ClientRegistration:
    row = register.register_client(
        provider_id,
        environment="production",
        client_id=uuid.uuid4().hex,
        client_secret=Secret("hush"),
        actor=people.STAFF,
    )
    ClientRegistration.objects.filter(pk=row.pk).update(**columns)
    return row


def made(
    tenant: Tenant,
    provider_id: str,
    *,
    issued_at: datetime = NOW,
    granted_at: datetime = NOW,
    expires_at: datetime | None = None,
    slot: dict[str, Any] | None = None,
    state: str = "connected",
) -> Connection:
    held = {"issued_at": issued_at, "grant_issued_at": granted_at, "expires_at": expires_at}
    return _rows(tenant, provider_id, 1, held, slot or {"state": "scheduled", "due_at": NOW + 3 * DAY}, state)[0]


def made_many(tenant: Tenant, provider_id: str, *, count: int, issued_at: datetime, slot: dict[str, Any]) -> None:
    _rows(tenant, provider_id, count, {"issued_at": issued_at, "grant_issued_at": issued_at}, slot, "connected")


def _rows(
    tenant: Tenant, provider_id: str, count: int, held: dict[str, Any], slot: dict[str, Any], state: str
) -> list[Connection]:
    through = registered(provider_id)
    owners = {"tenant_id": tenant.pk, "registration_id": through.pk}
    made = [Connection(**owners, provider_id=provider_id, state=state) for _ in range(count)]
    Connection.objects.bulk_create(made)
    sealed = {"version": 1, "sealed": b"x", "data_key": through.data_key, "refresh_fingerprint": b"f"}
    Credential.objects.bulk_create([Credential(connection=row, **sealed, **held) for row in made])
    RenewalSlot.objects.bulk_create([RenewalSlot(connection=row, **owners, **slot) for row in made])
    return made


FAILING: dict[str, Any] = {"state": "scheduled", "due_at": NOW, "attempts": 4}
PARKED: dict[str, Any] = {"state": "parked"}
