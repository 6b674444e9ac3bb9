"""A sign-in with another company on a connection's page: what is said of it, and the two buttons."""

import pytest
from django.test import Client
from django.urls import reverse

from broker.services import revoke, sessions
from tenants.models import Connection, CredentialOrphan
from tests import flows, people
from tests.broker.admin.test_verbs import audited, press, text
from tests.fakes.sandbox import USER_OF_TWO, SandboxProcess


@pytest.fixture
def waiting(connection: Connection) -> Connection:
    link = sessions.create(connection.tenant, [people.PROVIDER], connection=connection, actor=people.STAFF)
    assert flows.run(link.session, username=USER_OF_TWO).outcome == "account_mismatch"
    return connection


def page(client: Client, connection: Connection) -> str:
    return text(client.get(reverse("admin:tenants_connection_change", args=[connection.pk])))


def test_the_page_says_who_signed_in_and_whose_it_is(support: Client, waiting: Connection) -> None:
    shown = page(support, waiting)
    assert "Somebody signed in as <strong><bdi>Birch Books Oy</bdi></strong>" in shown
    assert "belongs to <strong><bdi>Acme Oy</bdi></strong>" in shown
    assert "Ask the customer which company is right." in shown
    assert "/do/take/" in shown
    assert "/do/turn-away/" in shown


def test_a_connection_without_one_has_no_such_buttons(support: Client, connection: Connection) -> None:
    shown = page(support, connection)
    assert "signed in as" not in shown
    assert "/do/take/" not in shown
    assert "no other sign-in waits here" in text(press(support, connection, "turn-away"))


def test_taking_asks_first(support: Client, waiting: Connection, local_provider: SandboxProcess) -> None:
    asked = text(press(support, waiting, "take"))
    assert "Take this company?" in asked
    assert "services get tokens for the other company" in asked
    waiting.refresh_from_db()
    assert waiting.external_name == "Acme Oy"
    assert "belongs to Birch Books Oy now" in text(press(support, waiting, "take", confirmed="yes"))
    waiting.refresh_from_db()
    assert (waiting.external_name, waiting.state) == ("Birch Books Oy", "connected")
    assert audited(waiting, "staff.account_taken") == ["staff support-ben"]
    assert "/do/take/" not in page(support, waiting)


def test_turning_it_away(support: Client, waiting: Connection, local_provider: SandboxProcess) -> None:
    assert "Turned away" in text(press(support, waiting, "turn-away"))
    waiting.refresh_from_db()
    assert (waiting.external_name, waiting.state) == ("Acme Oy", "connected")
    assert audited(waiting, "authorization.turned_away") == ["staff support-ben"]
    assert revoke.revoke_orphan(CredentialOrphan.objects.get().pk)
    assert local_provider.grants(user=USER_OF_TWO, alive="true") == []


def test_tokens_that_do_not_open_are_ours_to_repair(support: Client, waiting: Connection) -> None:
    CredentialOrphan.objects.update(sealed=b"\x01broken")
    assert "cannot be opened" in text(press(support, waiting, "take", confirmed="yes"))
    waiting.refresh_from_db()
    assert waiting.external_name == "Acme Oy"
