"""Rows to measure on: tenants, connections and sealed credentials, written in bulk."""

import json
import uuid
from collections.abc import Iterator

from django.db import connection as database

from broker.services import credentials, register
from providers.messages import OAuthCredential, Secret
from tenants import audit
from tenants.models import ClientRegistration, Connection, Credential, Operation, RenewalSlot, Tenant
from tenants.models.credential import credential_context

PROVIDER = "visma-eaccounting"
TENANTS = 100
BATCH = 5000
# As long as an access token of this provider, a JWT, is.
ACCESS_TOKEN = "x" * 900
_STAFF = audit.staff("bench")


def caller_key() -> str:
    """Return the key of a caller that may read every tenant's tokens."""
    _, _, key = register.create_caller(
        "bench", tenants=None, providers=[], operations=[Operation.TOKEN_READ], expires_days=1, actor=_STAFF
    )
    return key


def registration() -> ClientRegistration:
    return register.register_client(
        PROVIDER,
        environment="production",
        client_id="bench",
        client_secret=Secret("a-secret-that-no-provider-knows"),
        actor=_STAFF,
    )


def tenants() -> list[Tenant]:
    return [register.create_tenant(f"bench-{n}", name=f"Tenant {n}", actor=_STAFF) for n in range(TENANTS)]


def connections(owners: list[Tenant], through: ClientRegistration, count: int) -> list[uuid.UUID]:
    """Add so many connected connections with fresh tokens; return their ids."""
    ids: list[uuid.UUID] = []
    for start in range(0, count, BATCH):
        rows = [_row(owners[n % len(owners)], through) for n in range(start, min(start + BATCH, count))]
        Connection.objects.bulk_create(rows)
        Credential.objects.bulk_create(list(_credentials(rows)))
        RenewalSlot.objects.bulk_create([RenewalSlot(connection=row, state="parked", fence=1) for row in rows])
        ids += [row.id for row in rows]
    with database.cursor() as cursor:
        cursor.execute("UPDATE tenants_credential SET expires_at = now() + interval '6 hours' WHERE expires_at IS NULL")
        cursor.execute("VACUUM ANALYZE")
        # Or the rounds that follow would pay for writing these rows out.
        cursor.execute("CHECKPOINT")
    return ids


def _row(tenant: Tenant, through: ClientRegistration) -> Connection:
    return Connection(tenant=tenant, registration=through, provider_id=PROVIDER, state="connected")


def _credentials(rows: list[Connection]) -> Iterator[Credential]:
    keys = {tenant_id: credentials.active_data_key(tenant_id) for tenant_id in {row.tenant_id for row in rows}}
    plaintext = credentials.encode(
        OAuthCredential(
            access_token=Secret(ACCESS_TOKEN), refresh_token=Secret("y" * 64), scope=("ea:api", "offline_access")
        )
    )
    for row in rows:
        key = keys[row.tenant_id]
        sealed = credentials.vault().seal(key.as_wrapped(), credential_context(row.tenant_id, row.id, 1), plaintext)
        yield Credential(connection=row, version=1, sealed=sealed, data_key=key)


def lua_list(ids: list[uuid.UUID]) -> str:
    return "{" + ",".join(json.dumps(str(one)) for one in ids) + "}"
