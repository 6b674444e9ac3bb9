"""Each type of event as it really happens: once a transition, told as docs/webhooks.md shows it."""

import json
import re
from datetime import timedelta

import pytest
from django.db import transaction

from broker.services import forecast, gates, granted, incidents, key_watch, outbox, publishing, renew, states, webhooks
from providers.errors import ClientRejected
from tenants.models import AuditEvent, ClientRegistration, Connection, Credential, OutboxEvent, Reason, State
from tenants.querysets.key_use import KeyInUse
from tenants.querysets.rows import database_now
from tests import people
from tests.broker.services import telling
from tests.broker.services.renewing import events
from tests.house import papers

PAPER = papers.read("docs/webhooks.md")
EXAMPLES = {each["type"]: each for each in map(json.loads, re.findall(r"```json\n(.*?)```", PAPER, re.DOTALL))}
REFUSED = ClientRejected(error="invalid_client", status=401)


@pytest.fixture
def row(connect):
    return connect()


def moved(state, reason=Reason.NONE, first=None):
    def happen(row):
        if first is not None:
            states.move(row, first, Reason.PROVIDER_UNAVAILABLE)
        states.move(row, state, reason, settled=True)

    return happen


def soon(row):
    day = timedelta(days=1)
    Credential.objects.filter(pk=row.pk).update(grant_issued_at=database_now() - 725 * day)
    ClientRegistration.objects.update(secret_expires_at=database_now() + 5 * day)
    forecast.tell_ends(database_now())


def healed(row):
    incidents.report(row, REFUSED)
    incidents._close(row.registration_id)


def throttled(row):
    key = people.caller_of("aalto-service").api_keys.get()
    key_watch._throttle(KeyInUse(key.id, key.key_id, key.caller_id, "aalto-service", 0), 812, 80, database_now())


def tested(row):
    key = people.new_key("any", None, people.EVERYTHING)
    webhooks.send_test(telling.endpoint(key, "http://127.0.0.1:9/x")[0], actor=telling.ACTOR)


HAPPENS = {
    "connection.connected": lambda row: None,
    "connection.degraded": moved(State.DEGRADED, Reason.SCOPE_MISSING),
    "connection.recovered": moved(State.CONNECTED, first=State.DEGRADED),
    "connection.reauthorization_required": moved(State.REAUTHORIZATION_REQUIRED, Reason.GRANT_REVOKED),
    "connection.expires_soon": soon,
    "connection.scope_reduced": lambda row: granted.note(row, row.scopes_granted, row.scopes_granted[1:]),
    "connection.account_mismatch": moved(State.DEGRADED, Reason.ACCOUNT_MISMATCH),
    "connection.suspended": moved(State.SUSPENDED, Reason.STAFF),
    "connection.disconnected": moved(State.DISCONNECTED),
    "registration.incident": lambda row: incidents.report(row, REFUSED),
    "registration.healed": healed,
    "registration.expires_soon": soon,
    "caller.throttled": throttled,
    outbox.TEST: tested,
}


def test_each_type_is_in_the_paper_and_happens_here():
    told = {papers.bare(line["type"]) for line in papers.rows(PAPER, "type", "when")}
    assert told == set(outbox.TYPES)
    assert set(EXAMPLES) == set(HAPPENS) == {*outbox.TYPES, outbox.TEST}


@pytest.mark.parametrize("kind", HAPPENS)
def test_it_is_told_once_and_as_the_paper_shows(row, kind):
    HAPPENS[kind](row)
    publishing.publish()
    message = outbox.message(OutboxEvent.objects.get(type=kind))
    example = EXAMPLES[kind]
    assert set(message) == set(example)
    assert list(message["data"]) and set(message["data"]) == set(example["data"])
    for name, value in example["data"].items():
        assert value is None or type(message["data"][name]) is type(value), name
    assert AuditEvent.objects.filter(action=kind).count() == 1


class TestTransitions:
    def test_an_outage_that_alternates_between_its_two_kinds_is_told_once(self, row):
        for reason in (Reason.PROVIDER_UNAVAILABLE, Reason.RATE_LIMITED) * 3:
            states.move(row, State.DEGRADED, reason)
        assert events(row, "connection.degraded") == 1
        states.move(row, State.DEGRADED, Reason.SCOPE_MISSING)
        assert events(row, "connection.degraded") == 2

    def test_nothing_is_told_when_the_change_is_undone(self, row):
        class Undone(Exception):
            pass

        with pytest.raises(Undone), transaction.atomic():
            states.move(row, State.SUSPENDED, Reason.STAFF)
            raise Undone
        assert events(row, "connection.suspended") == 0

    def test_a_shared_registrations_incident_is_no_tenants(self, row):
        incidents.report(row, REFUSED)
        gates.flush()
        assert OutboxEvent.objects.get(type="registration.incident").tenant_id is None

    def test_one_tenants_own_registrations_incident_is_its(self, row, settled):
        ClientRegistration.objects.filter(pk=row.registration_id).update(tenant=settled.aalto)
        incidents.report(Connection.objects.select_related("registration").get(pk=row.pk), REFUSED)
        assert OutboxEvent.objects.get(type="registration.incident").tenant_id == settled.aalto.pk


class TestScopes:
    def test_a_renewal_that_brings_fewer_is_told_once(self, row, local_provider):
        before = list(row.scopes_granted)
        for _ in range(2):
            local_provider.fault("token", "narrow_scope", scope=" ".join(before[1:]))
            renew.renew_now(row.pk)
        assert events(row, "connection.scope_reduced") == 1
        told = OutboxEvent.objects.get(type="connection.scope_reduced").payload
        assert told["scopes_lost"] == before[:1]
        assert Connection.objects.get(pk=row.pk).scopes_granted == before[1:]

    @pytest.mark.parametrize(
        ("before", "now", "told"),
        [(["a", "b"], ["a"], 1), (["a"], ["a", "b"], 0), (["a"], [], 0), ([], ["a"], 0), (["a", "b"], ["b", "a"], 0)],
        ids=str,
    )
    def test_more_or_none_named_is_nothing_lost(self, row, before, now, told):
        Connection.objects.filter(pk=row.pk).update(scopes_granted=before)
        granted.note(row, before, now)
        assert events(row, "connection.scope_reduced") == told
        assert Connection.objects.get(pk=row.pk).scopes_granted == now

    def test_whoever_compares_with_what_is_no_longer_there_changes_nothing(self, row):
        granted.note(row, ["what", "was", "before"], ["what"])
        assert events(row, "connection.scope_reduced") == 0
