"""Which events a caller is told of; the decision itself is `policy`'s."""

from uuid import UUID

from django.db.models import Q, QuerySet

from broker.services import policy
from broker.services.policy import Grant
from tenants.models import Caller, Connection, Operation, OutboxEvent


def grant_of(caller: Caller) -> Grant:
    """Return what a caller may be told of now, without a request of its. Nothing when it is not active."""
    tenant_ids = None if caller.all_tenants else frozenset(tenant.id for tenant in caller.tenants.all())
    told = caller.active and Operation.WEBHOOK_MANAGE.value in caller.operations
    return Grant(
        caller_id=caller.id,
        caller_name=caller.name,
        key_id="",
        operations=frozenset(caller.operations) if told else frozenset(),
        providers=frozenset(caller.providers),
        tenant_ids=tenant_ids,
    )


class Audience:
    """Tells who may be told of what; remembers for a batch which callers use which registration."""

    def __init__(self) -> None:
        self._uses: dict[tuple[UUID, str], bool] = {}

    def may_be_told(
        self, grant: Grant, *, tenant_id: UUID | None, connection_id: UUID | None, payload: dict[str, object]
    ) -> bool:
        """Shape: payload as it is published."""
        provider, registration = str(payload.get("provider") or ""), str(payload.get("registration") or "")
        if connection_id is not None and not provider and grant.providers:
            # The connection is gone, and nobody knows any more whose it was.
            return False
        return policy.may_be_told(
            grant,
            tenant_id=tenant_id,
            provider_id=provider,
            concerned=lambda: bool(registration) and self._is_used(grant, registration),
        )

    def _is_used(self, grant: Grant, registration: str) -> bool:
        key = (grant.caller_id, registration)
        if key not in self._uses:
            rows = Connection.objects.for_tenants(grant.tenant_ids).filter(registration_id=UUID(registration))
            self._uses[key] = rows.exists()
        return self._uses[key]


def narrowed(rows: QuerySet[OutboxEvent], grant: Grant) -> QuerySet[OutboxEvent]:
    """Leave out, in SQL, what the caller is not told of anyway: so that no page has to be read for nothing."""
    if grant.providers:
        rows = rows.filter(Q(payload__provider__in=list(grant.providers)) | Q(connection_id=None))
    if grant.tenant_ids is None:
        return rows
    used = Connection.objects.for_tenants(grant.tenant_ids).order_by().values_list("registration_id", flat=True)
    shared = Q(tenant_id=None, payload__registration__in=[str(each) for each in used.distinct()])
    return rows.filter(Q(tenant_id__in=grant.tenant_ids) | shared)
