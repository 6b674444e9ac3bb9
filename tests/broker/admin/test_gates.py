"""What staff read of a registration through which renewals do not simply go, and the button that tries one."""

import html
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from broker.admin import gate_facts
from broker.services.trying import Tried
from tenants.models import AuditEvent, Connection, RegistrationGate, RenewalSlot
from tests.people import People


@pytest.fixture
def page(settled: People, connection: Connection) -> str:
    return reverse("admin:tenants_clientregistration_change", args=[settled.registration.pk])


@pytest.fixture
def press(settled: People) -> str:
    return reverse("admin:tenants_clientregistration_try", args=[settled.registration.pk])


def gate(settled: People, **fields: object) -> RegistrationGate:
    RegistrationGate.objects.update_or_create(pk=settled.registration.pk, defaults=fields)
    return RegistrationGate.objects.get(pk=settled.registration.pk)


def said(client: Client, url: str) -> str:
    text = re.sub(r"<[^>]+>", " ", client.get(url).content.decode())
    return re.sub(r"\s+", " ", html.unescape(text))


def test_every_cause_and_every_outcome_has_a_sentence() -> None:
    assert set(gate_facts.CAUSES) == set(RegistrationGate.Cause)
    assert set(gate_facts.TRIED) == set(Tried)


def test_without_trouble_there_is_nothing_to_press(support: Client, page: str) -> None:
    assert "Renewals: go through" in said(support, page)
    assert "Try now" not in said(support, page)


@pytest.mark.parametrize("cause", [cause for cause in RegistrationGate.Cause if cause.value])
def test_a_closed_gate_says_why_since_when_and_when_it_is_tried(
    support: Client, page: str, settled: People, cause: RegistrationGate.Cause
) -> None:
    gate(settled, state="open", cause=cause, changed_at="2026-11-20T10:00:00Z", open_until="2026-11-20T10:01:00Z")
    text = said(support, page)
    assert f"paused Since 2026-11-20 10:00:00 UTC, because {gate_facts.CAUSES[cause]}." in text
    assert "One renewal is tried at 2026-11-20 10:01:00 UTC" in text
    assert "Try now" in text


def test_one_that_is_being_tried_says_how_far_it_got(support: Client, page: str, settled: People) -> None:
    gate(settled, state="half_open", cause="outage", step=3, probes=4)
    assert "Of those that were tried, 3 have succeeded; 4 more may go now." in said(support, page)


def test_a_refused_new_secret_is_on_the_page_and_on_the_home_page(support: Client, page: str, settled: People) -> None:
    gate(settled, preferred_secret=1)
    assert "The new client secret is refused; the old one still works" in said(support, page)
    assert "the new client secret is refused; the old one still works" in said(support, "/admin/")


def test_the_button_lets_one_through_now_and_is_audited(
    support: Client, page: str, press: str, settled: People, connection: Connection
) -> None:
    RenewalSlot.objects.filter(pk=connection.pk).update(due_at="2100-01-01T00:00:00Z")
    gate(settled, state="open", cause="incident", open_until="2100-01-01T00:00:00Z")
    assert "renewed within seconds" in support.post(press, follow=True).content.decode()
    tried = gate(settled)
    assert (tried.state, tried.probes) == ("half_open", 1)
    assert RenewalSlot.objects.get(pk=connection.pk).due_at.year < 2100
    event = AuditEvent.objects.get(action="registration.try_requested")
    assert (event.actor_kind, event.actor) == ("staff", "support-ben")


def test_pressed_too_late_it_does_nothing(support: Client, press: str, connection: Connection) -> None:
    assert "Nothing to do" in support.post(press, follow=True).content.decode()
    assert not AuditEvent.objects.filter(action="registration.try_requested").exists()


def test_without_the_right_to_renew_nobody_presses(bystander: User, press: str, page: str, settled: People) -> None:
    gate(settled, state="open", cause="incident", open_until="2100-01-01T00:00:00Z")
    bystander.user_permissions.add(Permission.objects.get(codename="view_clientregistration"))
    client = Client()
    client.force_login(bystander)
    assert "paused" in said(client, page)
    assert "Try now" not in said(client, page)
    assert client.post(press).status_code == 403
    assert gate(settled).state == "open"
