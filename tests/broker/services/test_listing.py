"""Pages of connections: each connection once, nothing foreign, and as cheap among many connections as among few."""

import itertools
import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from broker.services import listing
from broker.services.policy import Grant
from tenants.models import Connection, Tenant
from tests import people

TENANTS, FEW, MANY, STEP = 41, 10_000, 40_000, 5_000

_TENANTS = """
    INSERT INTO tenants_tenant (id, slug, name, locale, return_urls, contacts)
    SELECT md5('tenant ' || n)::uuid, 'tenant-' || n, 'Tenant', 'en', '{}', '{}' FROM generate_series(1, %(count)s) n
"""
# Ten in a hundred stand otherwise; ten of a hundred are at each of the rarer providers; ten were made at one instant.
_CONNECTIONS = """
    INSERT INTO tenants_connection (id, tenant_id, registration_id, provider_id, label, state, reason,
        external_issuer, external_subject, external_name, scopes_asked, scopes_granted, created_at)
    SELECT md5('connection ' || n)::uuid, md5('tenant ' || 1 + n %% %(tenants)s)::uuid, %(registration)s,
        CASE WHEN n %% 10 < 3 THEN 'provider-' || n %% 10 ELSE %(provider)s END, n::text,
        CASE WHEN n %% 100 < 10 THEN 'suspended' ELSE 'connected' END, '', '', '', '', '{}', '{}',
        '2026-01-01T00:00:00Z'::timestamptz + n / 10 * interval '1 minute'
    FROM generate_series(%(first)s, %(last)s) n
"""


def grow(registration, first, last):
    values = {"tenants": TENANTS, "registration": registration.pk, "provider": people.PROVIDER}
    with connection.cursor() as cursor:
        # Our statements have seconds, on a machine that does much else besides as well.
        for start in range(first, last + 1, STEP):
            cursor.execute(_CONNECTIONS, {**values, "first": start, "last": min(start + STEP - 1, last)})
        cursor.execute("VACUUM ANALYZE tenants_connection")


@pytest.fixture
def many(settled):
    with connection.cursor() as cursor:
        cursor.execute(_TENANTS, {"count": TENANTS})
    grow(settled.registration, 1, FEW)
    return settled


def grant(tenants=None, providers=()):
    """A caller of so many tenants, or of all."""
    slugs = [f"tenant-{number}" for number in range(1, (tenants or 0) + 1)]
    ids = None if tenants is None else frozenset(Tenant.objects.filter(slug__in=slugs).values_list("id", flat=True))
    return Grant(
        caller_id=uuid.uuid4(),
        caller_name="tester",
        key_id="",
        operations=frozenset(),
        providers=frozenset(providers),
        tenant_ids=ids,
    )


SEEN = [(None, ()), (1, ()), (3, ()), (None, ("provider-1", "provider-2")), (3, ("provider-1",)), (0, ())]
FILTERS = [
    {},
    {"provider": "provider-1"},
    {"state": "suspended"},
    {"state": "connected"},
    {"tenant": "tenant-3"},
    {"provider": "provider-1", "state": "suspended"},
    {"tenant": "tenant-3", "provider": "provider-1"},
    {"provider": "nobody"},
    {"state": "pending"},
]
CASES = list(itertools.product(SEEN, FILTERS))
each_case = pytest.mark.parametrize(("seen", "filters"), CASES, ids=[f"{seen}-{given}" for seen, given in CASES])


def walked(one, limit, filters):
    """Every page, one after the other."""
    place = None
    for _ in range(2_000):
        found, more = listing.connections(one, limit, after=place, **filters)
        yield from found
        if not more:
            return
        place = found[-1].created_at, found[-1].id


def expected(one, filters):
    rows = Connection.objects.all()
    if one.tenant_ids is not None:
        rows = rows.filter(tenant_id__in=one.tenant_ids)
    if one.providers:
        rows = rows.filter(provider_id__in=one.providers)
    names = {"tenant": "tenant__slug", "provider": "provider_id", "state": "state"}
    rows = rows.filter(**{names[name]: value for name, value in filters.items()})
    return list(rows.order_by("-created_at", "-id").values_list("id", flat=True))


def test_the_pages_together_are_the_list(many):
    for (tenants, providers), filters in CASES:
        one = grant(tenants, providers)
        assert [row.id for row in walked(one, 900, filters)] == expected(one, filters), (tenants, providers, filters)


def test_a_deleted_tenants_connections_are_in_no_list(many):
    Tenant.objects.filter(slug="tenant-1").update(deleted_at="2026-01-01T00:00Z")
    gone = set(Connection.objects.filter(tenant__slug="tenant-1").values_list("id", flat=True))
    for one in (grant(), grant(3), grant(providers=("provider-1",)), grant(1)):
        assert not gone & {row.id for row in walked(one, 900, {})}


def blocks(one, filters):
    """How many blocks PostgreSQL looks at for a page behind the first."""
    first, _ = listing.connections(one, 20, **filters)
    after = (first[-1].created_at, first[-1].id) if first else None
    with CaptureQueriesContext(connection) as caught:
        listing.connections(one, 50, after=after, **filters)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {caught.captured_queries[0]['sql']}")
        plan = cursor.fetchone()[0]
    plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_a_page_costs_the_same_among_many_connections_as_among_few(many):
    """Four times as many: what reads all of them, or sorts them, would read four times as much, 1,500 blocks and more.

    A few hundred are what PostgreSQL reads at once where it finds that few fit two filters.
    """
    grants = {seen: grant(*seen) for seen in SEEN}
    few = [blocks(grants[seen], filters) for seen, filters in CASES]
    grow(many.registration, FEW + 1, MANY)
    now = [blocks(grants[seen], filters) for seen, filters in CASES]
    dear = [
        (*case, *cost) for case, *cost in zip(CASES, few, now, strict=True) if cost[1] > max(2 * cost[0] + 100, 600)
    ]
    assert [str(each) for each in dear] == []
