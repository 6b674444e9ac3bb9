"""Rows to measure on: tenants, connections and sealed credentials, written in bulk."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection as database
from django.utils import timezone

from broker.services import credentials, register
from providers.messages import EnteredCredential, OAuthCredential, Secret, StoredCredential
from tenants import audit
from tenants.models import ClientRegistration, Connection, Credential, Operation, RenewalSlot, Tenant
from tenants.models.credential import credential_context

TENANTS = 100
BATCH = 5000
# As long as an access token of this provider, a JWT, is.
ACCESS_TOKEN = "x" * 900
_STAFF = audit.staff("bench")
CUID = "4CAB0000000000000000000000000001"


@dataclass(frozen=True)
class Kind:
    """One system: how it is registered, what a connection holds, and a request that a caller would have signed."""

    provider: str
    held: StoredCredential
    parameters: dict[str, str]
    life: timedelta | None = None
    request: dict[str, str] | None = None


def _entered(**fields: str) -> EnteredCredential:
    return EnteredCredential(fields={name: Secret(value) for name, value in fields.items()})


EACCOUNTING = Kind(
    "visma-eaccounting",
    OAuthCredential(
        access_token=Secret(ACCESS_TOKEN), refresh_token=Secret("y" * 64), scope=("ea:api", "offline_access")
    ),
    {},
    life=timedelta(hours=6),
)
NETVISOR = Kind(
    "netvisor",
    _entered(
        customer_id="XX_demo_1_12345", customer_key="AAAABBBBCCCCDDDD0000111122223333", organisation_id="0112038-9"
    ),
    {"sender": "Bench"},
    request={
        "method": "GET",
        "url": "https://integration.netvisor.fi/salesinvoicelist.nv?invoicestatus=open&keyword=M%C3%A4kel%C3%A4",
    },
)
FIVALDI = Kind(
    "fivaldi",
    _entered(cuid=CUID),
    {},
    request={
        "method": "POST",
        "url": f"https://api.fivaldi.net/customer/api/companies/{CUID}/customers/createCustomer",
        "body": '{"customerName":"Asiakas Oy","note":"50"}',
        "content_type": "application/json",
    },
)


def caller_key() -> str:
    """Return the key of a caller that may read every tenant's tokens."""
    _, _, key = register.create_caller(
        "bench", tenants=None, providers=[], operations=[Operation.TOKEN_READ], expires_days=1, actor=_STAFF
    )
    return key


def registration(kind: Kind) -> ClientRegistration:
    return register.register_client(
        kind.provider,
        environment="production",
        client_id="bench",
        client_secret=Secret("a-secret-that-no-provider-knows"),
        parameters=kind.parameters,
        actor=_STAFF,
    )


def tenants() -> list[Tenant]:
    return [register.create_tenant(f"bench-{n}", name=f"Tenant {n}", actor=_STAFF) for n in range(TENANTS)]


def connections(owners: list[Tenant], through: ClientRegistration, kind: Kind, count: int) -> list[uuid.UUID]:
    """Add so many connected connections with fresh credentials; return their ids."""
    ids: list[uuid.UUID] = []
    for start in range(0, count, BATCH):
        rows = [_row(owners[n % len(owners)], through) for n in range(start, min(start + BATCH, count))]
        Connection.objects.bulk_create(rows)
        Credential.objects.bulk_create(list(_credentials(rows, kind)))
        RenewalSlot.objects.bulk_create([_slot(row) for row in rows])
        ids += [row.id for row in rows]
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        # Or the rounds that follow would pay for writing these rows out.
        cursor.execute("CHECKPOINT")
    return ids


def _row(tenant: Tenant, through: ClientRegistration) -> Connection:
    return Connection(tenant=tenant, registration=through, provider_id=through.provider_id, state="connected")


def _slot(row: Connection) -> RenewalSlot:
    owners = {"tenant_id": row.tenant_id, "registration_id": row.registration_id}
    return RenewalSlot(connection=row, **owners, state="parked", fence=1)


def _credentials(rows: list[Connection], kind: Kind) -> Iterator[Credential]:
    keys = {tenant_id: credentials.active_data_key(tenant_id) for tenant_id in {row.tenant_id for row in rows}}
    plaintext = credentials.encode(kind.held)
    expires_at = timezone.now() + kind.life if kind.life else None
    for row in rows:
        key = keys[row.tenant_id]
        sealed = credentials.vault().seal(key.as_wrapped(), credential_context(row.tenant_id, row.id, 1), plaintext)
        yield Credential(connection=row, version=1, sealed=sealed, data_key=key, expires_at=expires_at)
