"""Each button and list action: what it does at the sandbox, in the rows, in the audit log, and what it says."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from broker.admin.verbs import VERBS
from broker.services import incidents, renew, sessions
from providers.errors import ClientRejected
from tenants.models import AuditEvent, Connection, ConnectSession, Credential, RenewalSlot, State
from tests.fakes.sandbox import SandboxProcess
from tests.people import People

LIST = "/admin/tenants/connection/"


def press(client: Client, connection: Connection, name: str, **fields: Any) -> HttpResponse:
    return client.post(reverse("admin:tenants_connection_do", args=[connection.pk, name]), fields, follow=True)


def choose(client: Client, name: str, *connections: Connection, **fields: Any) -> HttpResponse:
    chosen = {"action": name, "_selected_action": [each.pk for each in connections], **fields}
    return client.post(LIST, chosen, follow=True)


def text(answer: HttpResponse) -> str:
    return unescape(answer.content.decode())


def version(connection: Connection) -> int:
    return Credential.objects.values_list("version", flat=True).get(pk=connection.pk)


def audited(connection: Connection, action: str) -> list[str]:
    rows = AuditEvent.objects.filter(connection_id=connection.pk, action=action).order_by("id")
    return [f"{row.actor_kind} {row.actor}" for row in rows]


def test_renew_now_renews_and_is_audited(
    support: Client, connection: Connection, local_provider: SandboxProcess
) -> None:
    before, seen = version(connection), local_provider.last_number()
    answer = press(support, connection, "renew")
    assert "The tokens were renewed" in text(answer)
    assert version(connection) > before
    assert len(local_provider.log(since=seen, endpoint="token")) == 1
    assert audited(connection, "staff.renew_requested") == ["staff support-ben"]


def test_renewing_a_dead_grant_says_so_and_then_what_to_do(
    support: Client, connection: Connection, local_provider: SandboxProcess
) -> None:
    local_provider.change_password()
    assert "asks once more" in text(press(support, connection, "renew"))
    answer = text(press(support, connection, "renew"))
    assert "the customer must connect again. Make a repair link." in answer
    assert "Customer must connect again" in answer
    assert re.search(r'/do/repair/">.*?<button type="submit" class="button default">', answer, re.S)
    connection.refresh_from_db()
    assert connection.state == State.REAUTHORIZATION_REQUIRED


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "status", "status": 500}, "did not answer as it should"),
        ({"kind": "invalid_client"}, "refuses our own registration"),
    ],
)
def test_a_provider_in_trouble_is_told_from_a_dead_grant(
    support: Client, connection: Connection, local_provider: SandboxProcess, fault: dict[str, Any], said: str
) -> None:
    local_provider.fault("token", **fault)
    assert said in text(press(support, connection, "renew"))
    connection.refresh_from_db()
    assert connection.state == State.CONNECTED


def test_nothing_is_renewed_without_a_planned_renewal(support: Client, connection: Connection) -> None:
    RenewalSlot.objects.filter(pk=connection.pk).update(state="parked")
    assert "nothing to renew with" in text(press(support, connection, "renew"))
    assert audited(connection, "staff.renew_requested") == []


def test_a_renewal_that_runs_already_is_not_doubled(support: Client, connection: Connection) -> None:
    claimed = renew.slots.claim_one(connection.pk, owner="another worker", lease_seconds=30)
    assert claimed
    assert "running right now" in text(press(support, connection, "renew"))


def test_a_repair_link_is_shown_once_and_kept_nowhere(support: Client, connection: Connection) -> None:
    answer = press(support, connection, "repair")
    token = re.search(r'value="[^"]*/connect/([\w-]{20,})"', answer.content.decode())[1]
    assert sessions.find(token).connection_id == connection.pk
    assert audited(connection, "connect_session.created") == ["staff support-ben"]
    assert audited(connection, "staff.repair_link_shown") == ["staff support-ben"]
    kept = [str(row.get_decoded()) for row in Session.objects.all()] + [str(support.cookies)]
    assert not any(token in each for each in kept)
    page = support.get(reverse("admin:tenants_connection_change", args=[connection.pk]))
    assert token not in page.content.decode()
    again = press(support, connection, "repair")
    assert token in again.content.decode(), "the open link is shown again, so that one customer has one link"
    assert ConnectSession.objects.filter(connection=connection, consumed_at=None).count() == 1


def test_a_repair_link_that_cannot_be_made_says_why(support: Client, connection: Connection, settled: People) -> None:
    settled.registration.__class__.objects.update(disabled_at="2026-01-01T00:00Z")
    assert "no client registration for that provider" in text(press(support, connection, "repair"))


def test_disconnect_asks_first(support: Client, connection: Connection, local_provider: SandboxProcess) -> None:
    asked = press(support, connection, "disconnect")
    assert "Are you sure?" in text(asked)
    connection.refresh_from_db()
    assert connection.state == State.CONNECTED
    assert local_provider.grants(alive="true")


def test_disconnect_revokes_at_the_provider(
    support: Client, connection: Connection, local_provider: SandboxProcess
) -> None:
    answer = press(support, connection, "disconnect", confirmed="yes")
    assert "the provider confirmed that the tokens are revoked" in text(answer)
    connection.refresh_from_db()
    assert connection.state == State.DISCONNECTED
    assert local_provider.grants(alive="true") == []
    assert audited(connection, "connection.disconnected") == ["staff support-ben"]


def test_disconnect_without_the_provider_says_that_it_is_told_later(
    support: Client, connection: Connection, local_provider: SandboxProcess
) -> None:
    local_provider.fault("revocation", "status", status=503)
    answer = text(press(support, connection, "disconnect", confirmed="yes"))
    assert "keeps telling it for seven days" in answer
    assert "has not confirmed that it revoked the tokens" in answer


def test_suspend_and_resume(support: Client, connection: Connection) -> None:
    assert "Suspended: no tokens are handed out" in text(press(support, connection, "suspend"))
    connection.refresh_from_db()
    assert (connection.state, connection.reason) == (State.SUSPENDED, "staff")
    assert audited(connection, "connection.suspended") == ["staff support-ben"]
    assert "Resumed" in text(press(support, connection, "resume"))
    connection.refresh_from_db()
    assert (connection.state, connection.reason) == (State.CONNECTED, "")
    assert audited(connection, "connection.recovered") == ["staff support-ben"]


def test_a_verb_in_the_wrong_state_changes_nothing(support: Client, connection: Connection) -> None:
    for verb in VERBS.values():
        for state in set(State.values) - verb.states:
            Connection.objects.filter(pk=connection.pk).update(state=state)
            before = AuditEvent.objects.exclude(action="staff.viewed").count()
            page = reverse("admin:tenants_connection_change", args=[connection.pk])
            assert f"/do/{verb.name}/" not in support.get(page).content.decode()
            assert "Not possible in the state" in text(press(support, connection, verb.name, confirmed="yes"))
            connection.refresh_from_db()
            assert connection.state == state
            assert AuditEvent.objects.exclude(action="staff.viewed").count() == before


def test_an_unknown_verb_and_an_unknown_connection_are_not_found(support: Client, connection: Connection) -> None:
    assert press(support, connection, "explode").status_code == 404
    stranger = Connection(pk="00000000-0000-4000-8000-000000000000")
    assert press(support, stranger, "suspend").status_code == 404


@pytest.fixture
def two(connect: Callable[..., Connection], settled: People) -> list[Connection]:
    return [connect(), connect(settled.birch)]


def test_the_list_suspends_what_was_chosen(support: Client, two: list[Connection]) -> None:
    answer = text(choose(support, "suspend", *two))
    assert "Acme Oy, Acme Oy: Suspended" in answer
    assert set(Connection.objects.values_list("state", flat=True)) == {State.SUSPENDED.value}


def test_the_list_shows_one_link_a_connection(support: Client, two: list[Connection]) -> None:
    tokens = re.findall(r"/connect/([\w-]{20,})", choose(support, "repair", *two).content.decode())
    assert {sessions.find(token).connection_id for token in tokens} == {each.pk for each in two}


def test_the_list_renews(support: Client, two: list[Connection]) -> None:
    before = [version(each) for each in two]
    assert "The tokens were renewed" in text(choose(support, "renew", *two))
    assert all(version(each) > old for each, old in zip(two, before, strict=True))


def test_the_list_disconnects_only_when_confirmed(support: Client, two: list[Connection]) -> None:
    asked = choose(support, "disconnect", *two)
    assert "Are you sure?" in text(asked)
    assert text(asked).count('name="_selected_action"') == 2
    assert set(Connection.objects.values_list("state", flat=True)) == {State.CONNECTED.value}
    choose(support, "disconnect", *two, confirmed="yes")
    assert set(Connection.objects.values_list("state", flat=True)) == {State.DISCONNECTED.value}


def test_the_list_refuses_more_than_one_press_may_touch(support: Client, connection: Connection) -> None:
    more = [
        Connection.objects.create(
            tenant_id=connection.tenant_id,
            registration_id=connection.registration_id,
            provider_id="x",
            state="connected",
        )
        for _ in range(VERBS["disconnect"].limit)
    ]
    answer = choose(support, "disconnect", connection, *more, confirmed="yes")
    assert "at most 10 connections" in text(answer)
    assert not Connection.objects.filter(state="disconnected").exists()
    across = choose(support, "renew", connection, select_across="1")
    assert "at most 10 connections" in text(across)


def test_a_visit_is_recorded_once_and_shown_apart_from_what_happened(support: Client, connection: Connection) -> None:
    url = reverse("admin:tenants_connection_change", args=[connection.pk])
    support.get(url)
    page = support.get(url).content.decode()
    assert audited(connection, "staff.viewed") == ["staff support-ben"]
    assert "Looked at by support-ben" in page
    assert "<code>staff.viewed</code>" not in page


def test_a_refused_registration_is_what_the_page_says_first(
    support: Client, connection: Connection, settled: People
) -> None:
    refusal = ClientRejected(provider_id="visma-eaccounting", endpoint="token", error="invalid_client")
    incidents.report_for(settled.registration, refusal)
    page = text(support.get(reverse("admin:tenants_connection_change", args=[connection.pk])))
    assert "do not send the customer a link" in page
    assert "invalid_client" in page
    home = text(support.get("/admin/"))
    assert "is refused by its provider (invalid_client)" in home
