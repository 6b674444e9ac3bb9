"""The list of ends to come, why a grant that was refused had ended, and what its life is counted from."""

import pytest

from broker.services.forecast import ends_to_come, reason_of_end, tell_ends
from providers.definition import Traits
from tenants.models import ClientRegistration, Connection, Credential, ExpiryNotice, Reason, State, Tenant
from tenants.querysets import credentials as credential_rows
from tenants.querysets.rows import database_now
from tests.broker.services.forecasting import DAY, FAILING, NOW, catalogue, made, registered, tenant

__all__ = ["catalogue", "tenant"]
pytestmark = pytest.mark.usefixtures("catalogue")


def test_the_list_has_each_end_once_and_nothing_that_moved(tenant: Tenant) -> None:
    today = database_now()
    absolute = made(tenant, "absolute-90", issued_at=today, granted_at=today - 70 * DAY)
    idle = made(tenant, "idle-45", issued_at=today - 40 * DAY, slot=FAILING)
    ended = made(tenant, "idle-45", issued_at=today - 40 * DAY, slot=FAILING)
    secret = registered("idle-45", secret_expires_at=today + 5 * DAY)
    tell_ends(today - 10 * DAY)
    tell_ends(today)
    assert {row.subject_id for row in ends_to_come()} == {absolute.pk, idle.pk, ended.pk, secret.pk}
    assert ends_to_come().count() == 4 < ExpiryNotice.objects.count()

    Connection.objects.filter(pk=ended.pk).update(state=State.DISCONNECTED)
    # Renewed after all, reconnected, replaced.
    Credential.objects.filter(pk__in=[idle.pk, absolute.pk]).update(issued_at=today + DAY)
    assert {row.subject_id for row in ends_to_come()} == {absolute.pk, secret.pk}
    Credential.objects.filter(pk=absolute.pk).update(grant_issued_at=today + DAY)
    ClientRegistration.objects.filter(pk=secret.pk).update(secret_expires_at=today + 300 * DAY)
    assert list(ends_to_come()) == []


@pytest.mark.parametrize(
    ("traits", "granted", "issued", "reason"),
    [
        (Traits(), 900, 900, None),
        (Traits(refresh_token_idle_days=30), 900, 29, None),
        (Traits(refresh_token_idle_days=30), 900, 30, Reason.IDLE_EXPIRED),
        (Traits(refresh_token_lifetime_days=90), 89, 0, None),
        (Traits(refresh_token_lifetime_days=90), 90, 0, Reason.ABSOLUTE_EXPIRED),
        (Traits(refresh_token_lifetime_days=90, refresh_token_idle_days=30), 90, 30, Reason.ABSOLUTE_EXPIRED),
        (Traits(refresh_token_lifetime_days=45, rotation_restarts_lifetime=True), 900, 44, None),
        (Traits(refresh_token_lifetime_days=45, rotation_restarts_lifetime=True), 900, 45, Reason.IDLE_EXPIRED),
    ],
)
def test_a_refusal_whose_time_had_come_has_its_own_reason(
    tenant: Tenant, traits: Traits, granted: int, issued: int, reason: Reason | None
) -> None:
    row = made(tenant, "idle-45", issued_at=NOW - issued * DAY, granted_at=NOW - granted * DAY)
    assert reason_of_end(row, traits, NOW) == reason


def test_a_renewal_keeps_the_day_of_the_authorization_and_a_new_one_sets_it(tenant: Tenant) -> None:
    row = made(tenant, "idle-45", issued_at=NOW - 400 * DAY, granted_at=NOW - 400 * DAY)
    key = row.registration.data_key_id
    for version, new_grant in ((2, False), (3, True)):
        credential_rows.store(
            row.pk,
            version=version,
            sealed=b"y",
            data_key_id=key,
            refresh_fingerprint=None,
            life_seconds=1.0,
            new_grant=new_grant,
        )
        held = Credential.objects.get(pk=row.pk)
        assert (held.grant_issued_at == held.issued_at) is new_grant
