"""After the chaos: renew every connection once more, fault-free, and see which refresh tokens are still good."""

import time
from uuid import UUID

import httpx2

from broker.services import credentials
from providers.messages import OAuthCredential
from tenants.models import Connection
from tests.chaos.site import Site
from tests.fakes.sandbox import CLIENT_SECRET, plain_client

SECONDS = 60.0
_MARK = """
INSERT INTO chaos_last SELECT connection_id, version FROM tenants_credential;
UPDATE tenants_renewalslot SET due_at = least(due_at, now()) WHERE state = 'scheduled';
"""
_OPEN = """
SELECT c.id FROM tenants_connection c JOIN chaos_last l ON l.connection_id = c.id
JOIN tenants_credential k ON k.connection_id = c.id
WHERE c.state IN ('connected', 'degraded') AND k.version <= l.version
"""
_HURRY = """
UPDATE tenants_renewalslot SET due_at = now() WHERE connection_id = ANY(%s) AND due_at > now() + interval '3 seconds'
"""


def settle(site: Site, *, seconds: float = SECONDS) -> None:
    """Return once each connection has been renewed once more or given up, or the time is over. The broker runs."""
    site.rows(_MARK)
    deadline = time.monotonic() + seconds
    while (still := _open(site)) and time.monotonic() < deadline:
        # What is postponed after a fault is asked again now, not in a quarter of an hour.
        site.rows(_HURRY, still)
        time.sleep(0.3)


def refused_and_stuck(site: Site) -> tuple[frozenset[str], frozenset[str]]:
    """Return the connections whose stored refresh token the provider refuses, and those that were not renewed though
    it is good. The broker has ended: its token requests have been read already, for here are some more.
    """
    rows = Connection.objects.select_related("credential__data_key", "registration")
    given_up = rows.filter(state="reauthorization_required", credential__isnull=False)
    stuck = rows.filter(pk__in=_open(site))
    with plain_client() as http:
        good = {row.pk: _accepted(site, http, row) for row in [*given_up, *stuck]}
    refused = frozenset(str(pk) for pk, accepted in good.items() if not accepted)
    return refused, frozenset(str(row.pk) for row in stuck) - refused


def _open(site: Site) -> list[UUID]:
    return [row[0] for row in site.rows(_OPEN)]


def _accepted(site: Site, http: httpx2.Client, row: Connection) -> bool:
    held = credentials.open_current(row.credential, row.tenant_id)
    assert isinstance(held, OAuthCredential)
    assert held.refresh_token is not None
    form = {"grant_type": "refresh_token", "refresh_token": held.refresh_token.reveal()}
    answer = http.post(
        f"{site.sandbox.url}/connect/token",
        data={**form, "client_id": row.registration.client_id, "client_secret": CLIENT_SECRET},
    )
    return answer.status_code == 200
