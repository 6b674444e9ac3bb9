"""Connections in bulk: rows as if so many customers had connected, with refresh tokens that the sandbox knows."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from broker.services import credential_text, credentials, enrolment, register
from providers.messages import OAuthCredential, Secret
from tenants import audit
from tenants.models import ClientRegistration, Connection, Credential, DataKey, Operation, RenewalSlot, Tenant
from tenants.models.credential import credential_context
from tests.chaos.catalogue import PROVIDER
from tests.chaos.site import Site
from tests.fakes.sandbox import CLIENT_ID, CLIENT_SECRET

STAFF = audit.staff("chaos")
SCOPE = ("ea:api", "offline_access")
BATCH = 5000


def registration(client_id: str = CLIENT_ID) -> ClientRegistration:
    """Return our standing at the sandbox, as one of its clients."""
    secret = Secret(CLIENT_SECRET)
    return register.register_client(
        PROVIDER, environment="local", client_id=client_id, client_secret=secret, actor=STAFF
    )


def tenants(count: int, prefix: str = "tenant") -> list[Tenant]:
    return [register.create_tenant(f"{prefix}-{n}", name=f"Tenant {n}", actor=STAFF) for n in range(count)]


def caller_key() -> str:
    """Return an API key that reads every tenant's tokens."""
    operations = [Operation.TOKEN_READ, Operation.CONNECTION_READ]
    return enrolment.create_caller(
        "chaos", tenants=None, providers=[], operations=operations, expires_days=1, actor=STAFF
    )[2]


def connections(
    site: Site,
    through: ClientRegistration,
    owners: Sequence[Tenant],
    count: int,
    *,
    due: tuple[float, float] | None = None,
    life: float | None = None,
) -> list[UUID]:
    """Add so many connections, each due at a time between these seconds from now (else: spread over a token's life)."""
    life = site.life if life is None else life
    first, last = due or (0.0, 0.7 * life)
    keys = {owner.pk: credentials.active_data_key(owner.pk) for owner in owners}
    tokens = site.sandbox.new_refresh_tokens(count, through.client_id)
    ids: list[UUID] = []
    for start in range(0, count, BATCH):
        rows = [_row(owners[n % len(owners)], through) for n in range(start, min(start + BATCH, count))]
        Connection.objects.bulk_create(rows)
        dues = [random.uniform(first, last) for _ in rows]
        Credential.objects.bulk_create(_credentials(rows, tokens[start:], keys, life))
        RenewalSlot.objects.bulk_create(_slot(row, due_in) for row, due_in in zip(rows, dues, strict=True))
        ids += [row.id for row in rows]
    site.rows("ANALYZE")
    return ids


def _row(tenant: Tenant, through: ClientRegistration) -> Connection:
    state = {"state": "connected", "scopes_asked": list(SCOPE), "scopes_granted": list(SCOPE)}
    return Connection(tenant=tenant, registration=through, provider_id=through.provider_id, **state)


def _slot(row: Connection, due_in: float) -> RenewalSlot:
    owners = {"tenant_id": row.tenant_id, "registration_id": row.registration_id}
    due_at = timezone.now() + timedelta(seconds=due_in)
    return RenewalSlot(connection=row, **owners, state="scheduled", fence=1, due_at=due_at)


def _credentials(
    rows: Sequence[Connection], tokens: Sequence[str], keys: dict[UUID, DataKey], life: float
) -> Iterator[Credential]:
    expires_at = timezone.now() + timedelta(seconds=life)
    for row, token in zip(rows, tokens, strict=False):
        held = OAuthCredential(
            access_token=Secret(f"seeded-{row.id}"), refresh_token=Secret(token), token_type="Bearer", scope=SCOPE
        )
        key = keys[row.tenant_id]
        context = credential_context(row.tenant_id, row.id, 1)
        yield Credential(
            connection=row,
            version=1,
            sealed=credentials.vault().seal(key.as_wrapped(), context, credential_text.encode(held)),
            data_key=key,
            refresh_fingerprint=credentials.fingerprint_of(key, held),
            expires_at=expires_at,
        )
