"""Ends to come are told once a threshold, and whatever moves them makes them void."""

from datetime import UTC, datetime
from typing import Any

import pytest

from broker.services import forecast
from broker.services.forecast import tell_ends
from tenants.models import (
    AuditEvent,
    ClientRegistration,
    Credential,
    ExpiryNotice,
    OutboxEvent,
    State,
    Tenant,
)
from tests.broker.services.forecasting import DAY, FAILING, NOW, PARKED, catalogue, made, made_many, registered, tenant

__all__ = ["catalogue", "tenant"]
pytestmark = pytest.mark.usefixtures("catalogue")


def told() -> list[tuple[str, int]]:
    return list(ExpiryNotice.objects.order_by("id").values_list("kind", "days"))


def test_a_longest_life_is_told_at_30_14_7_and_1_days_and_once_each(tenant: Tenant) -> None:
    made(tenant, "absolute-90", granted_at=NOW - 50 * DAY)
    counts = [tell_ends(NOW + quarter * DAY / 4) for quarter in range(4 * 42)]
    assert sum(counts) == 4
    assert told() == [("absolute", days) for days in (30, 14, 7, 1)]
    # 40 days are left: each is told in the first run after its threshold.
    assert [place / 4 for place, count in enumerate(counts) if count] == [10, 26, 33, 39]


def test_an_event_says_what_ends_and_when(tenant: Tenant) -> None:
    row = made(tenant, "absolute-90", granted_at=NOW - 62 * DAY)
    assert tell_ends(NOW) == 1
    event, audited = OutboxEvent.objects.get(), AuditEvent.objects.get(action="connection.expires_soon")
    assert (event.type, event.tenant_id, event.connection_id) == ("connection.expires_soon", tenant.pk, row.pk)
    assert event.payload == {"kind": "absolute", "ends_at": "2027-04-07T12:00:00Z", "days": 30}
    assert (audited.tenant_id, audited.connection_id, audited.actor_kind) == (tenant.pk, row.pk, "system")
    assert audited.detail == event.payload


def test_of_missed_thresholds_only_the_nearest_is_told(tenant: Tenant) -> None:
    made(tenant, "absolute-90", granted_at=NOW - 50 * DAY)
    assert [tell_ends(NOW + days * DAY) for days in (35, 35, 41)] == [1, 0, 0]
    assert told() == [("absolute", 7)]


def test_what_has_ended_is_not_told(tenant: Tenant) -> None:
    made(tenant, "absolute-90", granted_at=NOW - 90 * DAY)
    made(tenant, "idle-45", issued_at=NOW - 45 * DAY, slot=FAILING)
    made(tenant, "unrenewable", expires_at=NOW, slot=PARKED)
    registered("idle-45", secret_expires_at=NOW)
    assert tell_ends(NOW) == 0


@pytest.mark.parametrize(
    ("slot", "tells"),
    [
        (FAILING, True),
        ({"state": "scheduled", "due_at": NOW - 2 * DAY}, True),
        ({"state": "scheduled", "due_at": NOW + 40 * DAY}, True),
        # A renewal is coming, and moves the end; one that was recovered comes at once.
        ({"state": "scheduled", "due_at": NOW + DAY}, False),
        ({"state": "scheduled", "due_at": NOW - DAY / 2}, False),
        ({"state": "scheduled", "due_at": datetime(1970, 1, 1, tzinfo=UTC)}, False),
    ],
)
@pytest.mark.parametrize(("provider_id", "days"), [("idle-45", 45), ("restarting-60", 60)])
def test_what_lies_unused_is_told_where_no_renewal_is_coming(
    tenant: Tenant, provider_id: str, days: int, slot: dict[str, Any], tells: bool
) -> None:
    made(tenant, provider_id, issued_at=NOW - (days - 10) * DAY, slot=slot)
    tell_ends(NOW)
    assert told() == ([("idle", 14)] if tells else [])


def test_an_access_token_s_end_is_told_where_nothing_can_renew_it(tenant: Tenant) -> None:
    made(tenant, "unrenewable", expires_at=NOW + 5 * DAY, slot=PARKED)
    made(tenant, "unrenewable", expires_at=None, slot=PARKED)
    made(tenant, "idle-45", expires_at=NOW + 5 * DAY)
    assert tell_ends(NOW) == 1
    assert told() == [("access_token", 7)]


def test_a_client_secret_s_end_is_told_for_its_registration(tenant: Tenant) -> None:
    shared = registered("idle-45", secret_expires_at=NOW + 10 * DAY)
    registered("idle-45", secret_expires_at=NOW + 10 * DAY, disabled_at=NOW)
    registered("idle-45", secret_expires_at=NOW + 31 * DAY)
    assert (tell_ends(NOW), tell_ends(NOW)) == (1, 0)
    event = OutboxEvent.objects.get()
    assert (event.type, event.tenant_id, event.connection_id) == ("registration.expires_soon", None, None)
    assert event.payload == {
        "kind": "client_secret",
        "ends_at": "2027-03-20T12:00:00Z",
        "days": 14,
        "registration_id": str(shared.pk),
        "provider": "idle-45",
    }


@pytest.mark.parametrize("state", sorted(set(State) - {State.CONNECTED, State.DEGRADED}))
def test_connections_that_are_not_in_use_are_left_alone(tenant: Tenant, state: str) -> None:
    made(tenant, "absolute-90", granted_at=NOW - 80 * DAY, state=state)
    made(tenant, "idle-45", issued_at=NOW - 40 * DAY, slot=FAILING, state=state)
    made(tenant, "unrenewable", expires_at=NOW + 5 * DAY, slot=PARKED, state=state)
    assert tell_ends(NOW) == 0


def test_an_end_that_moves_is_told_anew(tenant: Tenant) -> None:
    row = made(tenant, "idle-45", issued_at=NOW - 40 * DAY, slot=FAILING)
    assert (tell_ends(NOW), tell_ends(NOW + DAY)) == (1, 0)
    Credential.objects.filter(pk=row.pk).update(issued_at=NOW + DAY)
    assert tell_ends(NOW + DAY) == 0
    assert tell_ends(NOW + 41 * DAY) == 1
    assert told() == [("idle", 7), ("idle", 7)]


def test_a_provider_that_the_catalogue_lost_stops_nobody(tenant: Tenant) -> None:
    lost = made(tenant, "idle-45", issued_at=NOW - 40 * DAY, slot=FAILING)
    ClientRegistration.objects.filter(pk=lost.registration_id).update(provider_id="long-gone")
    made(tenant, "absolute-90", granted_at=NOW - 80 * DAY)
    assert tell_ends(NOW) == 1


def test_every_batch_is_looked_at(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_BATCH", 2)
    monkeypatch.setattr(forecast, "_PAGES", 1)
    for number in range(5):
        made(tenant, "absolute-90", granted_at=NOW - 80 * DAY + (number // 3) * DAY)
    made_many(tenant, "idle-45", count=300, issued_at=NOW - 40 * DAY, slot=FAILING)
    assert (tell_ends(NOW), tell_ends(NOW)) == (305, 0)


def test_what_was_told_is_forgotten_long_after_the_end(tenant: Tenant) -> None:
    made(tenant, "absolute-90", granted_at=NOW - 80 * DAY)
    tell_ends(NOW)
    tell_ends(NOW + 99 * DAY)
    assert len(told()) == 1
    tell_ends(NOW + 101 * DAY)
    assert told() == []
