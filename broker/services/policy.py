"""What a caller may do: the one place that decides. Default deny; each refusal of a known caller is logged once."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from broker.errors import (
    BrokerError,
    CallerThrottled,
    ConnectionNotFound,
    Forbidden,
    RateLimited,
    SourceNotAllowed,
    Unauthenticated,
)
from broker.services import decision_log, networks, rate_limits
from tenants import audit
from tenants.audit import Actor


class Grant(NamedTuple):
    """What an authenticated caller may do. tenant_ids None: every tenant. providers empty: every provider."""

    caller_id: UUID
    caller_name: str
    key_id: str
    operations: Collection[str]
    providers: Collection[str]
    tenant_ids: frozenset[UUID] | None
    source: str = ""
    on_behalf_of: str = ""

    @property
    def actor(self) -> Actor:
        """As the audit log names it."""
        return audit.caller(self.caller_name, self.source, self.on_behalf_of)


def enter(
    grant: Grant,
    *,
    allowed_from: Sequence[str],
    throttled_seconds: float | None,
    per_minute: int,
    cost: int = 1,
) -> None:
    """Let a caller whose key is good go on with a request, or with as many as `cost` says.

    Raises: SourceNotAllowed, CallerThrottled, RateLimited.
    """
    if allowed_from and not networks.contains(tuple(allowed_from), grant.source):
        raise refused(grant, SourceNotAllowed())
    if throttled_seconds is not None and throttled_seconds > 0:
        raise refused(grant, CallerThrottled(retry_after=throttled_seconds))
    standing = rate_limits.limiter.take(grant.caller_id, per_minute, cost)
    rate_limits.note(standing)
    if standing.refused:
        told = f"this caller has {standing.limit} requests a minute"
        raise refused(grant, RateLimited(told, retry_after=standing.seconds))


def may(grant: Grant, operation: str) -> None:
    """Raises Forbidden unless the operation is on the caller's list."""
    if operation not in grant.operations:
        raise refused(grant, Forbidden(f"this API key lacks the operation {operation}"), operation=operation)


def may_see(grant: Grant, *, tenant_id: UUID, provider_id: str) -> bool:
    """Tell whether a tenant's connection at a provider exists for this caller; if not, it looks absent."""
    tenant_seen = grant.tenant_ids is None or tenant_id in grant.tenant_ids
    return tenant_seen and serves(grant, provider_id)


def serves(grant: Grant, provider_id: str) -> bool:
    """Tell whether a provider is one of those that the caller may have anything of."""
    return not grant.providers or provider_id in grant.providers


def unseen(grant: Grant, connection_id: object) -> ConnectionNotFound:
    """Return what is raised for a connection that is absent, or that this caller may not see. Effects: a log line."""
    error = ConnectionNotFound()
    refused(grant, error, connection_id=connection_id)
    return error


def refused(grant: Grant, error: BrokerError, **about: object) -> BrokerError:
    """Return the error, to be raised. Effects: a log line, unless there were too many in this second."""
    by = {"caller": grant.caller_name, "key_id": grant.key_id, "source": grant.source}
    decision_log.of_callers.note(error.code, **by, on_behalf_of=grant.on_behalf_of, **about)
    return error


def stranger(key_id: str, source: str, reason: str = "") -> Unauthenticated:
    """Return what whoever is not known gets: the same for unknown, wrong, expired and revoked. Effects: a log line."""
    decision_log.of_strangers.note(Unauthenticated.code, key_id=key_id, source=source, reason=reason)
    return Unauthenticated()


def may_be_told(grant: Grant, *, tenant_id: UUID | None, provider_id: str, concerned: Callable[[], bool]) -> bool:
    """Tell whether an event exists for this caller.

    Shape:  provider_id is empty for what is no provider's. tenant_id None: it is no tenant's, so it is told to callers
            of every tenant, and to those that are concerned otherwise.
    """
    if provider_id and grant.providers and provider_id not in grant.providers:
        return False
    if grant.tenant_ids is None:
        return True
    return concerned() if tenant_id is None else tenant_id in grant.tenant_ids
