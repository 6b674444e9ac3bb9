"""What a worker renews next: fairly among tenants and registrations, those recovered from dead processes first."""

import math
from collections.abc import Collection
from uuid import UUID

from django.conf import settings

from broker.services import presence
from tenants.querysets import fair_claims
from tenants.querysets.claims import Claim
from tenants.querysets.fair_claims import Lane, Wanted

# At most this part of a claim goes to one tenant.
_SHARE = 1 / 4
# A claim that finds nothing goes this often through as many lanes as one statement visits, and the next goes on there.
_ROUNDS = 20


class Claimer:
    """One worker's claims, one after another; it remembers at which lane the last one ended."""

    def __init__(self) -> None:
        self._after: Lane | None = None

    def claim(self, limit: int, held: Collection[UUID], *, urgent_only: bool = False) -> list[Claim]:
        """Claim up to `limit` slots that are due, none of the held registrations, a quarter at most of one tenant.

        Shape: fewer than `limit` does not mean that no more are due; none does. `urgent_only` takes those recovered
               from dead processes, whoever's they are, and no others.
        Effects: leases in this process's name, for RENEWAL_LEASE_SECONDS.
        """
        wanted = Wanted(limit=limit, share=limit if urgent_only else math.ceil(limit * _SHARE), held=held)
        owner, lease = presence.owner(), settings.RENEWAL_LEASE_SECONDS
        window = fair_claims.claim_window(wanted, owner=owner, lease_seconds=lease, recovered_only=urgent_only)
        left = limit - len(window.claims)
        if urgent_only or not window.full or not left:
            return window.claims
        rest = Wanted(limit=left, share=wanted.share, held=held)
        if window.claims:
            served = {claim.tenant_id for claim in window.claims}
            return window.claims + self._go_on(rest, served)
        return self._search(rest)

    def _search(self, wanted: Wanted) -> list[Claim]:
        """Go on until there is something, and round once: what is due may be far from where the last claim ended."""
        ends = 0
        for _ in range(_ROUNDS):
            claims = self._go_on(wanted, frozenset())
            ends += self._after is None
            if claims or ends == 2:
                return claims
        return []

    def _go_on(self, wanted: Wanted, served: Collection[UUID]) -> list[Claim]:
        owner, lease = presence.owner(), settings.RENEWAL_LEASE_SECONDS
        lanes = fair_claims.claim_lanes(wanted, owner=owner, lease_seconds=lease, served=served, after=self._after)
        self._after = lanes.after
        return lanes.claims
