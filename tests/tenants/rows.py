"""Bare rows for the tests of this room: no service, no provider."""

import base64
import os
import uuid
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from tenants import keyring
from tenants.models import ClientRegistration, Connection, DataKey, RenewalSlot, Tenant
from tenants.vault import Vault

VAULT = Vault(keyring.parse(f"v1:{base64.b64encode(os.urandom(32)).decode()}"), "rows")


def new_tenant(slug: str = "") -> Tenant:
    slug = slug or f"t-{uuid.uuid4().hex[:8]}"
    return Tenant.objects.create(slug=slug, name=slug)


def new_data_key(tenant: Tenant | None, **fields: Any) -> DataKey:
    key_id = uuid.uuid4()
    wrapped = VAULT.new_data_key(key_id, tenant.id if tenant else None)
    return DataKey.objects.create(
        id=key_id, tenant=tenant, kek_version=wrapped.kek_version, wrapped=wrapped.wrapped, **fields
    )


def new_connection(tenant: Tenant | None = None) -> Connection:
    tenant = tenant or new_tenant()
    key = DataKey.objects.filter(tenant=tenant).first() or new_data_key(tenant)
    registration = ClientRegistration.objects.create(
        tenant=tenant,
        provider_id="some-provider",
        environment="production",
        client_id=uuid.uuid4().hex,
        redirect_key=uuid.uuid4().hex,
        sealed_secrets=b"",
        data_key=key,
    )
    return Connection.objects.create(tenant=tenant, registration=registration, provider_id="some-provider")


def new_slot(*, due_in_seconds: float = -3600.0, **fields: Any) -> RenewalSlot:
    """A slot that is due, unless told otherwise."""
    due_at = Now() + timedelta(seconds=due_in_seconds)
    connection = new_connection()
    owners = {"tenant_id": connection.tenant_id, "registration_id": connection.registration_id}
    return RenewalSlot.objects.create(connection=connection, **owners, state="scheduled", due_at=due_at, **fields)
