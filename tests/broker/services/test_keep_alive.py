"""What is stored is due in time, whether anybody asks for it or not."""

from datetime import timedelta

import pytest

from broker.services import storing
from broker.services.storing import Arrival
from providers.messages import ExternalAccount, OAuthCredential, Secret
from tenants.models import RenewalSlot, Tenant
from tenants.querysets.rows import database_now
from tests.broker.services.forecasting import DAY, catalogue, registered, tenant

__all__ = ["catalogue", "tenant"]
pytestmark = pytest.mark.usefixtures("catalogue")


def due_after(tenant: Tenant, provider_id: str, *, life: float | None, refresh: str = "rt") -> timedelta | None:
    arrival = Arrival(
        tenant_id=tenant.pk,
        registration=registered(provider_id),
        credential=OAuthCredential(
            access_token=Secret("at"), refresh_token=Secret(refresh) if refresh else None, scope=()
        ),
        account=ExternalAccount(issuer="https://login.test.example", subject="1"),
        life_seconds=life,
    )
    slot = RenewalSlot.objects.get(pk=storing.store_connected(arrival).pk)
    assert (slot.state == "parked") is (slot.due_at is None)
    return slot.due_at - database_now() if slot.due_at else None


@pytest.mark.parametrize(
    ("provider_id", "life", "earliest", "latest"),
    [
        # Nobody has to renew these for their access token's sake; the refresh token would end.
        ("idle-45", None, 18 * DAY, 22.5 * DAY),
        ("idle-45", 86400.0 * 80, 18 * DAY, 22.5 * DAY),
        ("restarting-60", None, 24 * DAY, 30 * DAY),
        ("idle-45", 3600.0, timedelta(minutes=36), timedelta(minutes=45)),
    ],
)
def test_an_unused_refresh_token_is_due_before_half_of_its_limit(
    tenant: Tenant, provider_id: str, life: float | None, earliest: timedelta, latest: timedelta
) -> None:
    due = due_after(tenant, provider_id, life=life)
    assert due is not None
    assert earliest - timedelta(seconds=10) <= due <= latest


@pytest.mark.parametrize(
    ("provider_id", "refresh", "life"),
    [("absolute-90", "rt", None), ("unrenewable", "rt", 3600.0), ("idle-45", "", None), ("idle-45", "", 3600.0)],
)
def test_what_nothing_can_renew_is_never_due(
    tenant: Tenant, provider_id: str, refresh: str, life: float | None
) -> None:
    assert due_after(tenant, provider_id, life=life, refresh=refresh) is None
