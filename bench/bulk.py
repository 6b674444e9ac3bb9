"""Connections by the million: rows made by PostgreSQL, credentials sealed on every core and copied in."""

import multiprocessing
import os
import uuid
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from django.utils import timezone

from bench.seed import Kind
from broker.services import credentials
from broker.services.credential_text import encode
from providers.messages import OAuthCredential
from tenants.models import ClientRegistration, Tenant
from tenants.models.credential import credential_context
from tenants.vault import WrappedKey

# A few tenants have many connections and many have a few: the share of the k-th is 1/k, as sizes of firms go. They
# came over two years.
_CONNECTIONS = """
    INSERT INTO tenants_connection (id, tenant_id, registration_id, provider_id, label, state, reason, external_issuer,
        external_subject, external_name, scopes_asked, scopes_granted, created_at, connected_at, state_changed_at)
    SELECT gen_random_uuid(),
        (%(tenants)s::uuid[])[floor(exp(random() * ln(cardinality(%(tenants)s::uuid[]) + 1)))::int],
        %(registration)s, %(provider)s, '', 'connected', '', '', '', 'Firm ' || n, %(scopes)s, %(scopes)s,
        now() - random() * interval '730 days', now(), now()
    FROM generate_series(1, %(count)s) n RETURNING id, tenant_id
"""
_CREDENTIALS = """
    COPY tenants_credential (connection_id, version, sealed, data_key_id, issued_at, grant_issued_at, expires_at)
    FROM STDIN (FORMAT BINARY)
"""
_CREDENTIAL_TYPES = ["uuid", "int8", "bytea", "uuid", "timestamptz", "timestamptz", "timestamptz"]
_SLOTS = """
    INSERT INTO tenants_renewalslot (connection_id, tenant_id, registration_id, state, fence, lease_owner, intent,
        attempts, failure_class)
    SELECT id, tenant_id, registration_id, 'parked', 1, '', '', 0, '' FROM tenants_connection co
    WHERE registration_id = %s AND NOT EXISTS (SELECT 1 FROM tenants_renewalslot s WHERE s.connection_id = co.id)
"""


class Made(NamedTuple):
    """A connection and its tenant."""

    id: uuid.UUID
    tenant_id: uuid.UUID


def add(url: str, owners: Sequence[Tenant], through: ClientRegistration, kind: Kind, count: int) -> list[str]:
    """Add so many connected connections with fresh credentials to the database at url; return their ids."""
    scopes = list(kind.held.scope) if isinstance(kind.held, OAuthCredential) else []
    given = {"tenants": [owner.pk for owner in owners], "registration": through.pk, "provider": kind.provider}
    with _connect(url) as link:
        made = [Made(*row) for row in link.execute(_CONNECTIONS, {**given, "scopes": scopes, "count": count})]
    keys = {owner.pk: credentials.active_data_key(owner.pk).as_wrapped() for owner in owners}
    _on_every_core(url, made, keys, kind)
    with _connect(url) as link:
        link.execute(_SLOTS, [through.pk])
    return [str(one.id) for one in made]


def settle(url: str) -> None:
    """Let PostgreSQL know what it has, and write it out, or the rounds that follow would pay for it."""
    with _connect(url) as link:
        link.execute("VACUUM (FREEZE, ANALYZE)")
        link.execute("CHECKPOINT")


def copy_database(url: str, name: str) -> None:
    """Make a database that begins as the one at url is now. Nobody may be connected to it."""
    with psycopg.connect(url, dbname="postgres", autocommit=True) as link:
        known = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        link.execute(f"CREATE DATABASE {name} TEMPLATE {known} STRATEGY file_copy")


def _on_every_core(url: str, made: Sequence[Made], keys: dict[uuid.UUID, WrappedKey], kind: Kind) -> None:
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("fork")
    parts = [made[n::cores] for n in range(cores)]
    workers = [context.Process(target=_seal, args=(url, part, keys, kind)) for part in parts]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    if any(one.exitcode for one in workers):
        raise SystemExit("the connections could not be made")


def _seal(url: str, made: Sequence[Made], keys: dict[uuid.UUID, WrappedKey], kind: Kind) -> None:
    vault, plaintext, now = credentials.vault(), encode(kind.held), timezone.now()
    expires_at = now + kind.life if kind.life else None
    with _connect(url) as link, link.cursor().copy(_CREDENTIALS) as copy:
        copy.set_types(_CREDENTIAL_TYPES)
        for one in made:
            key = keys[one.tenant_id]
            sealed = vault.seal(key, credential_context(one.tenant_id, one.id, 1), plaintext)
            copy.write_row((one.id, 1, sealed, key.id, now, now, expires_at))


def _connect(url: str) -> psycopg.Connection:
    # Foreign keys are right by making; to have each looked up would take longer than all the rest.
    return psycopg.connect(url, autocommit=True, options="-c session_replication_role=replica -c statement_timeout=0")
