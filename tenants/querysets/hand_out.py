"""The one query of each hand-out path: key, caller, connection, credential and data key together.

Every join is an outer one below the key, so that a wrong key, an unknown connection, a foreign one and a disconnected
one cost the same and are told apart only by the code that may know.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tenants.querysets import own_connection
from tenants.querysets.rows import prepared_row
from tenants.vault import WrappedKey

_KEY = """
    k.secret_hash, (k.revoked_at IS NULL AND k.expires_at > now() AND ca.active AND (
        k.issuer_id IS NULL OR EXISTS (SELECT 1 FROM tenants_trustedissuer ti WHERE ti.id = k.issuer_id AND ti.active)
    )) AS key_usable,
    k.networks, extract(epoch FROM k.throttled_until - now())::float8, ca.rate_per_minute,
    ca.id, ca.name, ca.operations, ca.providers, ca.all_tenants
"""
_ALLOWED = """
    CASE WHEN {all_tenants}
        THEN NOT EXISTS (SELECT 1 FROM tenants_tenant te WHERE te.id = co.tenant_id AND te.deleted_at IS NOT NULL)
        ELSE EXISTS (
            SELECT 1 FROM tenants_caller_tenants ct WHERE ct.caller_id = {caller} AND ct.tenant_id = co.tenant_id
        )
    END
"""
_CONNECTION = """
    co.id, co.tenant_id, co.provider_id, co.state, co.reason,
    array_to_string(co.scopes_asked, ' '), array_to_string(co.scopes_granted, ' '),
    rg.environment, rg.client_id, rg.parameters::text,
    cr.sealed, cr.version, cr.expires_at, coalesce(extract(epoch FROM cr.expires_at - cr.issued_at), 0)::float8,
    dk.id, dk.kek_version, dk.wrapped, extract(epoch FROM cr.expires_at - now())::float8
"""
_COLUMNS = f"{_KEY}, {_ALLOWED.format(all_tenants='ca.all_tenants', caller='ca.id')}, {_CONNECTION}"
# For a key that was read a moment ago.
TENANT_ALLOWED = _ALLOWED.format(all_tenants="%(all_tenants)s::boolean", caller="%(caller)s::uuid")
REST = f"{TENANT_ALLOWED}, {_CONNECTION}"
JOINS = """
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

    Shape:  parameters is JSON; scopes have a space between them. registration, minted and stamp (see `hand_out_many`)
            are None where the query was not asked for them.
    """

    secret_hash: bytes
    key_usable: bool
    networks: list[str]
    throttled_seconds: float | None
    rate_per_minute: int
    caller_id: UUID
    caller_name: str
    operations: list[str]
    providers: list[str]
    all_tenants: bool
    tenant_allowed: bool
    connection_id: UUID | None
    tenant_id: UUID
    provider_id: str
    state: str
    reason: str
    scopes_asked: str
    scopes_granted: str
    environment: str
    client_id: str
    parameters: str
    sealed: bytes | None
    version: int
    expires_at: datetime | None
    life_seconds: float
    data_key_id: UUID
    kek_version: str
    wrapped: bytes
    seconds_left: float | None
    matches: int
    registration: SealedRegistration | None = None
    minted: Minted | None = None
    stamp: str | None = None

    @property
    def data_key(self) -> WrappedKey:
        """The data key under which the credential is sealed."""
        return WrappedKey(
            id=self.data_key_id, tenant_id=self.tenant_id, kek_version=self.kek_version, wrapped=self.wrapped
        )

    @property
    def minted_key(self) -> WrappedKey:
        """The data key under which the token for a set of scopes is sealed."""
        found = self.minted
        assert found is not None
        return WrappedKey(
            id=found.data_key_id, tenant_id=self.tenant_id, kek_version=found.kek_version, wrapped=found.wrapped
        )


_WIDTH = HandOut._fields.index("registration")
_KEY_WIDTH = HandOut._fields.index("tenant_allowed")
_NOTHING = (False, *[None] * (_WIDTH - _KEY_WIDTH - 2), 0)


class Known(NamedTuple):
    """The columns of a key and its caller, as a query of a moment ago has found them.

    Shape: parameters are what the statements for such a key have to be told.
    """

    columns: tuple[Any, ...]
    parameters: Mapping[str, object]


def known(row: HandOut) -> Known:
    """Return what the row says of the key and its caller."""
    return Known(row[:_KEY_WIDTH], {"caller": str(row.caller_id), "all_tenants": row.all_tenants})


class _Statements(NamedTuple):
    """The same columns by connection id, and by tenant and provider; and without the key's, for one that is known."""

    by_id: str
    by_name: str
    rest_by_id: str
    rest_by_name: str


def matches_of(tenant: str, provider: str, label: str) -> str:
    """The connections of a tenant at a provider: how many there are, and one of them."""
    return f"""
        SELECT count(*) AS count, min(c.id::text)::uuid AS id
        FROM tenants_connection c JOIN tenants_tenant t ON t.id = c.tenant_id
        WHERE t.slug = {tenant} AND c.provider_id = {provider} AND c.state <> 'disconnected'
          AND ({label} IS NULL OR c.label = {label})
    """  # noqa: S608  placeholders and columns


def _statements(columns: str = "", joins: str = "") -> _Statements:
    more = f", {columns}" if columns else ""
    key = "tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id"
    by_id = f"LEFT JOIN tenants_connection co ON co.id = %(id)s {JOINS} {joins}"
    matches = matches_of("%(tenant)s", "%(provider)s", "%(label)s::text")
    by_name = f"LEFT JOIN tenants_connection co ON co.id = matches.id {JOINS} {joins}"
    return _Statements(  # constants of this module, all of it
        f"SELECT {_COLUMNS}, 1{more} FROM {key} {by_id} WHERE k.key_id = %(key)s",  # noqa: S608
        f"""
        SELECT {_COLUMNS}, matches.count{more} FROM {key} CROSS JOIN LATERAL ({matches}) matches {by_name}
        WHERE k.key_id = %(key)s
        """,  # noqa: S608
        f"SELECT {REST}, 1{more} FROM (SELECT) always {by_id}",  # noqa: S608
        f"SELECT {REST}, matches.count{more} FROM ({matches}) matches {by_name}",  # noqa: S608
    )


_KEY_ALONE = f"""
    SELECT {_KEY} FROM tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id WHERE k.key_id = %(key)s
"""  # noqa: S608  constants of this module
_CALLER = f"""
    SELECT {_KEY}, CASE WHEN NOT ca.all_tenants
        THEN ARRAY(SELECT ct.tenant_id FROM tenants_caller_tenants ct WHERE ct.caller_id = ca.id)
    END FROM tenants_apikey k JOIN tenants_caller ca ON ca.id = k.caller_id WHERE k.key_id = %(key)s
"""  # noqa: S608  constants of this module
_TOKEN = _statements()
_HEADERS = _statements(_SECRET_COLUMNS)
_SCOPED = _statements(_MINTED_COLUMNS, _MINTED_JOINS)


class Named(NamedTuple):
    """Which connection a caller means: its id, or else tenant, provider and label.

    Shape:  an id as text is one that the database can read. Of several connections, the label says which; a row's
            `matches` above one means that it is needed.
    """

    connection_id: UUID | str | None
    tenant: str = ""
    provider: str = ""
    label: str | None = None


def for_token(key: str | Known, named: Named) -> HandOut | None:
    """Return the row for this key id, or known key, and connection; None when the key does not exist."""
    row = _row(_TOKEN, key, named)
    return HandOut(*row) if row else None


def for_headers(key: str | Known, named: Named) -> HandOut | None:
    """As for_token, with the registration's secrets."""
    row = _row(_HEADERS, key, named)
    return HandOut._make((*row[:_WIDTH], SealedRegistration._make(row[_WIDTH:]), None, None)) if row else None


def for_scopes(key: str | Known, named: Named, scope_key: str) -> HandOut | None:
    """As for_token, with the token for one set of scopes."""
    row = _row(_SCOPED, key, named, {"scope_key": scope_key})
    return HandOut._make((*row[:_WIDTH], None, Minted._make(row[_WIDTH:]), None)) if row else None


def for_key(key: str | Known) -> HandOut | None:
    """Return the columns of the key and its caller alone, none of them a connection's; None for an unknown key."""
    row = own_connection.row(_KEY_ALONE, {"key": key}) if isinstance(key, str) else key.columns
    return HandOut(*row, *_NOTHING) if row else None


def for_caller(key: str) -> tuple[HandOut | None, frozenset[UUID] | None]:
    """As for_key, with the ids of the tenants that the caller may see: None for all of them."""
    row = prepared_row(_CALLER, {"key": key})
    if row is None:
        return None, frozenset()
    return HandOut(*row[:-1], *_NOTHING), None if row[-1] is None else frozenset(row[-1])


def _row(
    statements: _Statements, key: str | Known, named: Named, more: Mapping[str, object] | None = None
) -> tuple[Any, ...] | None:
    given: dict[str, object] = {**more} if more else {}
    by_id = named.connection_id is not None
    if by_id:
        given["id"] = named.connection_id
    else:
        given |= {"tenant": named.tenant, "provider": named.provider, "label": named.label}
    if isinstance(key, str):
        given["key"] = key
        return own_connection.row(statements.by_id if by_id else statements.by_name, given)
    given |= key.parameters
    row = own_connection.row(statements.rest_by_id if by_id else statements.rest_by_name, given)
    return key.columns + row if row else None
