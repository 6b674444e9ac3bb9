"""What a caller may do: the one place that decides. Default deny."""

from dataclasses import dataclass
from uuid import UUID

from broker.errors import Forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an authenticated caller may do. tenant_ids None: every tenant. providers empty: every provider."""

    caller_id: UUID
    caller_name: str
    key_id: str
    operations: frozenset[str]
    providers: frozenset[str]
    tenant_ids: frozenset[UUID] | None
    source: str = ""


def may(grant: Grant, operation: str) -> None:
    """Raises Forbidden unless the operation is on the caller's list."""
    if operation not in grant.operations:
        raise Forbidden(f"this API key lacks the operation {operation}")


def may_see(grant: Grant, *, tenant_id: UUID, provider_id: str) -> bool:
    """Tell whether a tenant's connection at a provider exists for this caller; if not, it looks absent."""
    tenant_seen = grant.tenant_ids is None or tenant_id in grant.tenant_ids
    return tenant_seen and (not grant.providers or provider_id in grant.providers)
