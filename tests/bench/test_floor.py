"""The floor does less than the broker and answers the same; what the rounds ask for is what it says it is."""

import os

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from bench import bulk, floor_app, seed, seeding
from bench.stack import database_url
from bench.steps import ask, environ_of
from broker.errors import Unauthenticated
from broker.services import callers, counts
from tenants.models import Connection, RenewalSlot

CONNECTIONS = 300


@pytest.fixture
def seeded(transactional_db):
    """The key, and the ids of connections made as the bench makes them."""
    owners = seed.tenants(30)
    key = seed.caller_key()
    url = database_url(os.environ, connection.settings_dict["NAME"])
    ids = bulk.add(url, owners, seed.registration(seed.EACCOUNTING), seed.EACCOUNTING, CONNECTIONS)
    yield key, ids
    counts.reads.flush()


def test_the_floor_answers_what_the_broker_answers(seeded):
    key, ids = seeded
    for one in ids[:5]:
        answer = Client().get(f"/v1/connections/{one}/token", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.content
        assert ask(floor_app.application, environ_of(one, key)) == answer.content


def test_a_few_tenants_have_most_connections_and_none_is_due(seeded):
    _, ids = seeded
    sizes = {f"bench-{n}": Connection.objects.filter(tenant__slug=f"bench-{n}").count() for n in range(30)}
    assert sum(sizes.values()) == len(ids) == CONNECTIONS
    assert sizes["bench-0"] > CONNECTIONS / 30 * 3
    assert sum(map(bool, sizes.values())) > 15
    assert RenewalSlot.objects.filter(state="parked", due_at=None).count() == CONNECTIONS


def test_a_stranger_gets_as_far_as_the_lookup(db):
    presented = callers.parse(f"Bearer {seeding.stranger()}")
    with pytest.raises(Unauthenticated):
        callers.authenticate(presented)
    assert settings.BROKER_ENVIRONMENT in seeding.stranger()
