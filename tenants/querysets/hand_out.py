"""The one query of each hand-out path: key, caller, connection, credential and data key together.

Every join is an outer one below the key, so that a wrong key, an unknown connection, a foreign one and a disconnected
one cost the same and are told apart only by the code that may know.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tenants.querysets.rows import prepared_row

_COLUMNS = """
    k.secret_hash, (k.revoked_at IS NULL AND k.expires_at > now() AND ca.active) AS key_usable,
    ca.id, ca.name, ca.operations, ca.providers,
    CASE WHEN ca.all_tenants
        THEN NOT EXISTS (SELECT 1 FROM tenants_tenant te WHERE te.id = co.tenant_id AND te.deleted_at IS NOT NULL)
        ELSE EXISTS (
            SELECT 1 FROM tenants_caller_tenants ct WHERE ct.caller_id = ca.id AND ct.tenant_id = co.tenant_id
        )
    END AS tenant_allowed,
    co.id, co.tenant_id, co.provider_id, co.state, co.reason, rg.environment, rg.client_id, rg.parameters::text,
    cr.sealed, cr.version, cr.expires_at, extract(epoch FROM cr.expires_at - now())::float8,
    coalesce(extract(epoch FROM cr.expires_at - cr.issued_at), 0)::float8,
    dk.id, dk.kek_version, dk.wrapped
"""
_JOINS = """
    LEFT JOIN tenants_clientregistration rg ON rg.id = co.registration_id
    LEFT JOIN tenants_credential cr ON cr.connection_id = co.id
    LEFT JOIN tenants_datakey dk ON dk.id = cr.data_key_id
"""
# Without the key that opens them: it is needed once in five minutes, and one more join would cost every request.
_SECRET_COLUMNS = "rg.id, rg.tenant_id, rg.sealed_secrets, rg.data_key_id, statement_timestamp()"
_MINTED_COLUMNS = """
    rg.scopes, mt.id, mt.sealed, mt.version, mt.expires_at, extract(epoch FROM mt.expires_at - now())::float8,
    coalesce(extract(epoch FROM mt.expires_at - mt.issued_at), 0)::float8, mk.id, mk.kek_version, mk.wrapped
"""
_MINTED_JOINS = """
    LEFT JOIN tenants_mintedtoken mt ON mt.connection_id = co.id AND mt.scope_key = %(scope_key)s
    LEFT JOIN tenants_datakey mk ON mk.id = mt.data_key_id
"""


class SealedRegistration(NamedTuple):
    """A client registration's secrets, the id of the key that opens them, and the database's clock."""

    id: UUID
    tenant_id: UUID | None
    sealed: bytes
    data_key_id: UUID
    now: datetime


class Minted(NamedTuple):
    """A token for one set of scopes, all but the first None where there is none; and the registration's scopes."""

    registration_scopes: list[str]
    id: UUID | None
    sealed: bytes | None
    version: int
    expires_at: datetime | None
    seconds_left: float | None
    life_seconds: float
    data_key_id: UUID
    kek_version: str
    wrapped: bytes


class HandOut(NamedTuple):
    """What a hand-out needs to know, in one row. All from connection_id on is None for an unknown connection.

    Shape:  parameters is JSON. registration and minted are None where the query was not asked for them.
    """

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
    client_id: str
    parameters: str
    sealed: bytes | None
    version: int
    expires_at: datetime | None
    seconds_left: float | None
    life_seconds: float
    data_key_id: UUID
    kek_version: str
    wrapped: bytes
    matches: int
    registration: SealedRegistration | None = None
    minted: Minted | None = None


_WIDTH = len(HandOut._fields) - 2


class _Statements(NamedTuple):
    """The same columns by connection id, and by tenant and provider."""

    by_id: str
    by_name: str


def _statements(columns: str = "", joins: str = "") -> _Statements:
    more = f", {columns}" if columns else ""
    return _Statements(
        f"""
        SELECT {_COLUMNS}, 1{more} FROM tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id
        LEFT JOIN tenants_connection co ON co.id = %(id)s {_JOINS} {joins} WHERE k.key_id = %(key)s
        """,  # noqa: S608  constants of this module
        f"""
        SELECT {_COLUMNS}, matches.count{more} FROM tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS count, min(c.id::text)::uuid AS id
            FROM tenants_connection c JOIN tenants_tenant t ON t.id = c.tenant_id
            WHERE t.slug = %(tenant)s AND c.provider_id = %(provider)s AND c.state <> 'disconnected'
              AND (%(label)s::text IS NULL OR c.label = %(label)s)
        ) matches
        LEFT JOIN tenants_connection co ON co.id = matches.id {_JOINS} {joins} WHERE k.key_id = %(key)s
        """,  # noqa: S608  constants of this module
    )


_TOKEN = _statements()
_HEADERS = _statements(_SECRET_COLUMNS)
_SCOPED = _statements(_MINTED_COLUMNS, _MINTED_JOINS)


class Named(NamedTuple):
    """Which connection a caller means: its id, or else tenant, provider and label.

    Shape:  of several connections, the label says which; a row's `matches` above one means that it is needed.
    """

    connection_id: UUID | None
    tenant: str = ""
    provider: str = ""
    label: str | None = None


def for_token(key_id: str, named: Named) -> HandOut | None:
    """Return the row for this key and connection; None when the key does not exist."""
    row = _row(_TOKEN, key_id, named)
    return HandOut(*row) if row else None


def for_headers(key_id: str, named: Named) -> HandOut | None:
    """As for_token, with the registration's secrets."""
    row = _row(_HEADERS, key_id, named)
    return HandOut._make((*row[:_WIDTH], SealedRegistration._make(row[_WIDTH:]), None)) if row else None


def for_scopes(key_id: str, named: Named, scope_key: str) -> HandOut | None:
    """As for_token, with the token for one set of scopes."""
    row = _row(_SCOPED, key_id, named, {"scope_key": scope_key})
    return HandOut._make((*row[:_WIDTH], None, Minted._make(row[_WIDTH:]))) if row else None


def _row(
    statements: _Statements, key_id: str, named: Named, more: Mapping[str, object] | None = None
) -> tuple[Any, ...] | None:
    if named.connection_id is not None:
        return prepared_row(statements.by_id, {"key": key_id, "id": named.connection_id, **(more or {})})
    names = {"tenant": named.tenant, "provider": named.provider, "label": named.label}
    return prepared_row(statements.by_name, {"key": key_id, **names, **(more or {})})
