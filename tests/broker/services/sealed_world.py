"""A small world of sealed rows, keyrings to put under it, and what it holds once opened."""

import base64
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Q

from broker.services import credentials, register
from providers.messages import OAuthCredential, Secret
from tenants.models import ClientRegistration, Connection, Credential, CredentialOrphan, DataKey, Tenant
from tests import people

UNDER_RETIRED = Q(data_key__active=False)


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
def use_keyring(settings: Any) -> Iterator[Callable[..., None]]:
    """Restart with these entries of the keyring, as a changed setting would."""

    def use(*entries: str) -> None:
        settings.KEYRING = "\n".join(entries)
        credentials.vault.cache_clear()

    yield use
    credentials.vault.cache_clear()


V1, V2 = f"v1:{new_key()}", f"v2:{new_key()}"


@pytest.fixture
def world(use_keyring: Callable[..., None]) -> dict[str, object]:
    """Three tenants, a shared and an own registration, credentials with a previous version, orphans; under v1."""
    use_keyring(V1)
    tenants = [register.create_tenant(slug, name=slug, actor=people.STAFF) for slug in ("one", "two", "three")]
    shared = registration("shared", None)
    own = registration("own", tenants[0])
    for number, tenant in enumerate(tenants * 2):
        made = connection(own if tenant is tenants[0] else shared, tenant)
        for version in (1, 2):
            credentials.store(made, version, tokens(f"{number}-{version}"), 3600)
        credentials.store_orphan(
            tenant_id=tenant.id, connection_id=made.id, fence=1, credential=tokens(f"orphan-{number}"), outcome="held"
        )
    return contents()


def registration(client_id: str, tenant: Tenant | None) -> ClientRegistration:
    return register.register_client(
        people.PROVIDER,
        environment="production",
        client_id=client_id,
        client_secret=Secret(f"secret of {client_id}"),
        tenant=tenant,
        actor=people.STAFF,
    )


def connection(row: ClientRegistration, tenant: Tenant) -> Connection:
    return Connection.objects.create(tenant=tenant, registration=row, provider_id=row.provider_id, state="connected")


def tokens(name: str) -> OAuthCredential:
    return OAuthCredential(access_token=Secret(f"access-{name}"), refresh_token=Secret(f"refresh-{name}"))


def contents() -> dict[str, object]:
    """Everything that is sealed, opened: raises when one does not open."""
    found: dict[str, object] = {}
    for row in ClientRegistration.objects.select_related("data_key"):
        value = credentials.registration_value(row)
        found[f"registration {row.client_id}"] = [secret.reveal() for secret in value.client_secrets]
    for stored in Credential.objects.select_related("connection", "data_key", "previous_data_key"):
        found[f"credential {stored.pk}"] = revealed(credentials.open_current(stored, stored.connection.tenant_id))
        before = dataclasses.replace(credential_place(stored), fence=stored.previous_version)
        plaintext = credentials.unseal(stored.previous_data_key, before, stored.previous_sealed)
        found[f"previous {stored.pk}"] = revealed(credentials.decode(plaintext))
        current = credentials.open_current(stored, stored.connection.tenant_id)
        assert credentials.fingerprint(stored.data_key, current.refresh_token) == bytes(stored.refresh_fingerprint)
    for orphan in CredentialOrphan.objects.exclude(sealed=b"").select_related("data_key"):
        found[f"orphan {orphan.pk}"] = revealed(credentials.open_orphan(orphan))
    return found


def credential_place(stored: Credential) -> Any:
    return credentials.credential_context(stored.connection.tenant_id, stored.pk, stored.version)


def revealed(credential: OAuthCredential) -> tuple[str, str]:
    assert credential.refresh_token is not None
    return credential.access_token.reveal(), credential.refresh_token.reveal()


def under_retired_keys() -> int:
    return (
        ClientRegistration.objects.filter(UNDER_RETIRED).count()
        + Credential.objects.filter(UNDER_RETIRED | Q(previous_data_key__active=False)).count()
        + CredentialOrphan.objects.filter(UNDER_RETIRED).exclude(sealed=b"").count()
    )


def rotate(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("rotate_keys", "--json", *options, stdout=out)
    return json.loads(out.getvalue())


def versions() -> set[str]:
    return set(DataKey.objects.values_list("kek_version", flat=True))
