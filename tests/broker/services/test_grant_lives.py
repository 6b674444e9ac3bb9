"""What a grant's life is counted from, from connecting through renewing to the provider's no."""

from datetime import timedelta

import pytest

from broker.services import renew
from broker.services.renewal_attempt import Outcome
from tenants.models import Credential
from tests.broker.services.renewing import slot_of


def authorized(connection, *, days_ago):
    """As if the customer had authorized so long ago; eAccounting's grants live for 730 days."""
    rows = Credential.objects.filter(pk=connection.pk)
    rows.update(grant_issued_at=rows.get().issued_at - timedelta(days=days_ago))


def test_renewing_keeps_the_day_of_the_authorization_and_reconnecting_sets_it(connect):
    connection = connect()
    authorized(connection, days_ago=100)
    assert renew.renew_now(connection.id) is Outcome.RENEWED
    held = Credential.objects.get(pk=connection.id)
    assert timedelta(days=99) < held.issued_at - held.grant_issued_at < timedelta(days=101)
    connect()
    held.refresh_from_db()
    assert held.issued_at == held.grant_issued_at


@pytest.mark.parametrize(("days_ago", "reason"), [(729, "grant_revoked"), (731, "absolute_expired")])
def test_a_refused_grant_whose_time_was_up_says_so(connect, local_provider, days_ago, reason):
    connection = connect()
    authorized(connection, days_ago=days_ago)
    local_provider.change_password(password="sandbox-password-2")
    assert [renew.renew_now(connection.id) for _ in range(2)] == [Outcome.SUSPECT, Outcome.DEAD]
    connection.refresh_from_db()
    assert (connection.state, connection.reason) == ("reauthorization_required", reason)
    assert slot_of(connection).failure_class == reason
