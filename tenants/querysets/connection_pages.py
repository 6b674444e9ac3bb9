"""Pages of the connections that a caller may see, at a cost that does not grow with the number of connections.

A caller that may see some tenants, or some providers, gets the newest of each by an index and then the newest of
those: one index cannot be read in the order of all of them.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tenants.querysets.keyset import Place
from tenants.querysets.rows import rows

# A list that is made once, not a join: a planner who takes the tenants that end for many would sort all connections.
_ALIVE = "c.tenant_id <> ALL(ARRAY(SELECT t.id FROM tenants_tenant t WHERE t.deleted_at IS NOT NULL))"
_NEWEST_FIRST = "ORDER BY c.created_at DESC, c.id DESC LIMIT %(most)s"
_TENANTS = "(SELECT id FROM tenants_tenant WHERE deleted_at IS NULL AND {condition}) t(key)"
_COLUMNS = """
    c.id, te.slug, c.provider_id, rg.environment, c.label, c.state, c.reason, c.external_name, c.external_subject,
    c.connected_at, c.created_at
"""
_PROVIDERS = "(SELECT unnest(%(providers)s::text[])) p(key)"


class Wanted(NamedTuple):
    """What a page is to hold. tenant_ids None: every tenant. providers empty: every provider. Empty texts: any."""

    tenant_ids: Collection[UUID] | None = None
    providers: Collection[str] = ()
    tenant: str = ""
    provider: str = ""
    state: str = ""
    after: Place | None = None


class Listed(NamedTuple):
    """A connection as lists show it. Shape: tenant is its slug; account and account_id are the provider's."""

    id: UUID
    tenant: str
    provider: str
    environment: str
    label: str
    state: str
    reason: str
    account: str
    account_id: str
    connected_at: datetime | None
    created_at: datetime


def page(wanted: Wanted, limit: int) -> list[Listed]:
    """Return at most so many, newest first. Effects: one query."""
    return list(map(Listed._make, rows(_statement(wanted), _values(wanted, limit))))


def _statement(wanted: Wanted) -> str:
    """Shape: constants of this module, put together; values are bound."""
    conditions = [
        *(["c.state = %(state)s"] if wanted.state else []),
        *(["ROW(c.created_at, c.id) < ROW(%(at)s, %(id)s)"] if wanted.after else []),
    ]
    keys = []
    if wanted.tenant or wanted.tenant_ids is not None:
        keys.append(_TENANTS.format(condition=_these_tenants(wanted)))
        conditions.append("c.tenant_id = t.key")
    else:
        conditions.append(_ALIVE)
    if wanted.provider or wanted.providers:
        keys.append(_PROVIDERS)
        conditions.append("c.provider_id = p.key")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    of_each = f"SELECT c.id, c.created_at FROM tenants_connection c {where} {_NEWEST_FIRST}"  # noqa: S608
    merged = f"{' CROSS JOIN '.join(keys)} CROSS JOIN LATERAL ({of_each}) c" if keys else f"({of_each}) c"
    # The rest of them is read once it is known which they are.
    return f"""
        SELECT {_COLUMNS} FROM (SELECT c.id, c.created_at FROM {merged} {_NEWEST_FIRST}) chosen
        JOIN tenants_connection c ON c.id = chosen.id JOIN tenants_tenant te ON te.id = c.tenant_id
        JOIN tenants_clientregistration rg ON rg.id = c.registration_id
        ORDER BY chosen.created_at DESC, chosen.id DESC
    """  # noqa: S608


def _these_tenants(wanted: Wanted) -> str:
    if wanted.tenant_ids is None:
        return "slug = %(tenant)s"
    return "id = ANY(%(tenants)s)" + (" AND slug = %(tenant)s" if wanted.tenant else "")


def _values(wanted: Wanted, limit: int) -> dict[str, Any]:
    at, row_id = wanted.after or (None, None)
    asked = {wanted.provider} if wanted.provider else set(wanted.providers)
    return {
        "tenants": list(wanted.tenant_ids or ()),
        "providers": sorted(asked & set(wanted.providers) if wanted.providers else asked),
        "tenant": wanted.tenant,
        "state": wanted.state,
        "at": at,
        "id": row_id,
        "most": limit,
    }
