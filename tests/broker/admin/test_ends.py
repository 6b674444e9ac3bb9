"""The list of ends to come: in order, in words, with a way to where something can be done."""

import re
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.models import AuditEvent, ClientRegistration, Connection, Credential, RenewalSlot
from tenants.querysets.rows import database_now
from tests import people
from tests.broker.admin import ends
from tests.fakes.sandbox import SandboxProcess
from tests.people import PROVIDER, People

LIST = "/admin/tenants/expirynotice/"


@pytest.fixture
def settled(db: None, local_provider: SandboxProcess) -> People:
    """As elsewhere, but rolled back afterwards: nothing here needs real transactions."""
    return people.settle()


def connected(settled: People, name: str) -> Connection:
    owners = {"tenant": settled.aalto, "registration": settled.registration}
    row = Connection.objects.create(**owners, provider_id=PROVIDER, state="connected", external_name=name)
    RenewalSlot.objects.create(connection=row, tenant_id=row.tenant_id, registration_id=row.registration_id)
    key = settled.registration.data_key
    Credential.objects.create(connection=row, version=1, sealed=b"x", data_key=key, issued_at=database_now())
    return row


def test_the_next_end_comes_first_with_its_tenant_provider_and_link(support: Client, settled: People) -> None:
    later, sooner = connected(settled, "Kuura Oy"), connected(settled, "Halla Oy")
    ends.life_ends(later, days=20.5)
    ends.secret_ends(settled.registration, days=5.5)
    ends.life_ends(sooner, days=0.5)
    page = support.get(LIST).content.decode()
    rows = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)) for row in re.findall(r"<tr><td.*?</tr>", page, re.S)]
    first, second, third = rows
    assert "Halla Oy" in first
    assert "Longest life of a connection" in first
    assert "send a repair link" in first
    assert "Aalto Oy" in first
    assert "eAccounting" in first
    assert "in 12 hours" in first or "in 11 hours" in first
    assert "Our client secret" in second
    assert "all tenants" in second
    assert "Kuura Oy" in third
    for row in (later, sooner):
        assert f'<a href="/admin/tenants/connection/{row.pk}/change/">' in page
    assert f'<a href="/admin/tenants/clientregistration/{settled.registration.pk}/change/">' in page


@pytest.mark.parametrize(("query", "shown"), [("kind=client_secret", 1), ("kind=absolute", 2), ("tenant=aalto", 2)])
def test_it_can_be_filtered(support: Client, settled: People, query: str, shown: int) -> None:
    for name in ("Kuura Oy", "Halla Oy"):
        ends.life_ends(connected(settled, name), days=3)
    ends.secret_ends(settled.registration)
    assert support.get(f"{LIST}?{query}").content.decode().count("<tr><td") == shown


def test_the_home_page_tells_how_many_and_links_there(support: Client, settled: People) -> None:
    assert "to come within 30 days" not in support.get("/admin/").content.decode()
    ends.secret_ends(settled.registration)
    assert f'<a href="{LIST}">1 end to come within 30 days</a>' in support.get("/admin/").content.decode()


def test_the_number_of_queries_does_not_grow_with_the_ends(support: Client, settled: People) -> None:
    ends.secret_ends(settled.registration)
    support.get(LIST)
    few = _queries(support)
    for number in range(5):
        ends.life_ends(connected(settled, f"More {number}"), days=3)
    assert _queries(support) == few


def _queries(client: Client) -> int:
    with CaptureQueriesContext(database) as captured:
        assert client.get(LIST).status_code == 200
    return len(captured)


def test_a_superuser_says_when_a_secret_ends_and_that_is_audited(root: Client, settled: People) -> None:
    url = f"/admin/tenants/clientregistration/{settled.registration.pk}/change/"
    day = f"{database_now() + timedelta(days=90):%Y-%m-%d}"
    assert root.post(url, {"secret_expires_at_0": day, "secret_expires_at_1": "00:00:00"}).status_code == 302
    row = ClientRegistration.objects.get(pk=settled.registration.pk)
    assert f"{row.secret_expires_at:%Y-%m-%d %H:%M}" == f"{day} 00:00"
    assert bytes(row.sealed_secrets) == bytes(settled.registration.sealed_secrets)
    event = AuditEvent.objects.get(action="registration.changed")
    assert event.detail["changed"] == ["Client secret ends"]


def test_nonsense_is_no_end_of_a_secret(root: Client, settled: People) -> None:
    url = f"/admin/tenants/clientregistration/{settled.registration.pk}/change/"
    assert root.post(url, {"secret_expires_at_0": "soon", "secret_expires_at_1": ""}).status_code == 200
    assert ClientRegistration.objects.get(pk=settled.registration.pk).secret_expires_at is None
