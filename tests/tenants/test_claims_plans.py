"""Claims and what ends them read by index, however many slots there are."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from django.db import connection
from django.db.models.functions import Now

from tenants.models import RenewalSlot
from tenants.querysets import fair_claims, presence, slots
from tenants.querysets.claims import Claim
from tenants.querysets.fair_claims import Wanted
from tenants.querysets.rows import one_row
from tests.tenants.many_slots import crowd, new_registration

pytestmark = pytest.mark.django_db
WANTED = Wanted(limit=10, share=3, held=[UUID(int=1)])


class Scans(NamedTuple):
    whole: int
    index: int


STATEMENTS: dict[str, Callable[[list[Claim]], object]] = {
    "window": lambda claims: fair_claims.claim_window(WANTED, owner="me", lease_seconds=30),
    "recovered": lambda claims: fair_claims.claim_window(WANTED, owner="me", lease_seconds=30, recovered_only=True),
    "lanes": lambda claims: fair_claims.claim_lanes(WANTED, owner="me", lease_seconds=30),
    "one": lambda claims: slots.claim_one(claims[0].connection_id, owner="me", lease_seconds=30),
    "mark": lambda claims: slots.mark_sending_many(claims, lease_seconds=30),
    "release": slots.release_many,
    "look": lambda claims: presence.look(),
    "free": lambda claims: presence.free_leases({"gone": 7}),
}


def test_no_statement_reads_the_whole_table():
    claims = _many()
    assert claims
    for name, act in STATEMENTS.items():
        before = _scans()
        # A statement that is prepared is planned for its values a few times, and then once for whatever values come.
        for _ in range(10):
            act(claims)
        after = _scans()
        assert after.whole == before.whole, name
        assert after.index > before.index, name


def _scans() -> Scans:
    """How often this transaction has read the table, from end to end and by index."""
    sql = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'tenants_renewalslot'"
    row = one_row(sql, {})
    assert row is not None
    return Scans(*row)


def _many() -> list[Claim]:
    """Some thousands of slots: a few held, some due, most not; and PostgreSQL knows."""
    through = [new_registration() for _ in range(5)]
    crowd(30, through, 100, due_in_seconds=600)
    crowd(10, through, 20)
    ended = list(RenewalSlot.objects.values_list("pk", flat=True)[:5])
    RenewalSlot.objects.filter(pk__in=ended).update(lease_owner="gone", lease_until=Now() - timedelta(seconds=60))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tenants_renewalslot")
    return fair_claims.claim_window(WANTED, owner="me", lease_seconds=30).claims
