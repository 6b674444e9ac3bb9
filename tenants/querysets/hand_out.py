"""The one query of the token path: key, caller, connection, credential and data key together.

Every join is an outer one below the key, so that a wrong key, an unknown connection, a foreign one and a disconnected
one cost the same and are told apart only by the code that may know.
"""

from typing import Any, NamedTuple
from uuid import UUID

from tenants.querysets.rows import prepared_row

_COLUMNS = """
    k.secret_hash, (k.revoked_at IS NULL AND k.expires_at > now() AND ca.active) AS key_usable,
    ca.id, ca.name, ca.operations, ca.providers,
    (ca.all_tenants OR EXISTS (
        SELECT 1 FROM tenants_caller_tenants ct WHERE ct.caller_id = ca.id AND ct.tenant_id = co.tenant_id
    )) AS tenant_allowed,
    co.id, co.tenant_id, co.provider_id, co.state, co.reason, rg.environment,
    cr.sealed, cr.version, cr.expires_at, extract(epoch FROM cr.expires_at - now())::float8,
    coalesce(extract(epoch FROM cr.expires_at - cr.issued_at), 0)::float8,
    dk.id, dk.kek_version, dk.wrapped
"""
_JOINS = """
    LEFT JOIN tenants_clientregistration rg ON rg.id = co.registration_id
    LEFT JOIN tenants_credential cr ON cr.connection_id = co.id
    LEFT JOIN tenants_datakey dk ON dk.id = cr.data_key_id
"""
_BY_ID = f"""
    SELECT {_COLUMNS}, 1 FROM tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id
    LEFT JOIN tenants_connection co ON co.id = %(id)s {_JOINS} WHERE k.key_id = %(key)s
"""  # noqa: S608  constants of this module
_BY_NAME = f"""
    SELECT {_COLUMNS}, matches.count FROM tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, min(c.id::text)::uuid AS id
        FROM tenants_connection c JOIN tenants_tenant t ON t.id = c.tenant_id
        WHERE t.slug = %(tenant)s AND c.provider_id = %(provider)s AND c.state <> 'disconnected'
          AND (%(label)s::text IS NULL OR c.label = %(label)s)
    ) matches
    LEFT JOIN tenants_connection co ON co.id = matches.id {_JOINS} WHERE k.key_id = %(key)s
"""  # noqa: S608  constants of this module


class HandOut(NamedTuple):
    """What the token path needs to know, in one row. All from connection_id on is None for an unknown connection."""

    secret_hash: bytes
    key_usable: bool
    caller_id: UUID
    caller_name: str
    operations: list[str]
    providers: list[str]
    tenant_allowed: bool
    connection_id: UUID | None
    tenant_id: UUID
    provider_id: str
    state: str
    reason: str
    environment: str
    sealed: bytes | None
    version: int
    expires_at: Any
    seconds_left: float | None
    life_seconds: float
    data_key_id: UUID
    kek_version: str
    wrapped: bytes
    matches: int


def by_connection(key_id: str, connection_id: UUID) -> HandOut | None:
    """Return the row for this key and connection id; None when the key does not exist."""
    row = prepared_row(_BY_ID, {"key": key_id, "id": connection_id})
    return HandOut._make(row) if row else None


def by_name(key_id: str, tenant: str, provider: str, label: str | None) -> HandOut | None:
    """As by_connection, for callers that know no id. `matches` above one means that a label is needed."""
    row = prepared_row(_BY_NAME, {"key": key_id, "tenant": tenant, "provider": provider, "label": label})
    return HandOut._make(row) if row else None
