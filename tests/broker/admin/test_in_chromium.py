"""The desk in a real browser, under the content security policy that it is served with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright

from tenants import audit
from tenants.models import AuditEvent, Connection, MintedToken
from tests.broker import hand_made
from tests.people import People
from tests.tools import browser as chromium

PASSWORD = "a long enough password"
REFERENCE = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@contextmanager
def _page(problems: list[str]) -> Iterator[Page]:
    """A page that notes what the browser complains of: refused styles and scripts, errors, failed requests."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium.executable(), args=chromium.LAUNCH_ARGUMENTS)
        page = started.new_page(locale="fi-FI")
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "response", lambda answer: problems.append(f"{answer.status} {answer.url}") if answer.status > 399 else None
        )
        yield page
        started.close()


def _sign_in(page: Page, url: str, user: User) -> None:
    page.goto(f"{url}/admin/")
    page.fill("#id_username", user.get_username())
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")
    page.wait_for_selector("#user-tools")


@pytest.fixture
def with_password(transactional_db: None, supporter: User, superuser: User) -> None:
    for user in (supporter, superuser):
        user.set_password(PASSWORD)
        user.save()


def test_support_repairs_and_ends_a_connection(
    live_server: object, connection: Connection, supporter: User, with_password: None
) -> None:
    problems: list[str] = []
    with _page(problems) as page:
        _sign_in(page, live_server.url, supporter)
        page.click(".desk-nav >> text=Connections")
        page.click("#changelist-filter >> text=Connected")
        page.fill("#searchbar", "acme")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=acme*")
        assert "state=connected" in page.url
        page.click("#result_list >> text=Acme Oy")
        assert "The connection works." in page.inner_text(".matter")
        page.click("text=Make a repair link")
        link = page.input_value(".copy-link")
        page.click("[data-copy]")
        page.wait_for_selector("text=Copied")
        page.click("text=Back")
        page.click("text=Renew now")
        assert "The tokens were renewed" in page.inner_text(".messagelist")
        page.click("text=Disconnect…")
        page.click("text=Yes, disconnect")
        assert "Disconnected" in page.inner_text("h1")
    connection.refresh_from_db()
    assert connection.state == "disconnected"
    assert "/connect/" in link
    assert AuditEvent.objects.filter(actor="support-ben", action="connection.disconnected").exists()
    assert problems == []


def test_a_superuser_gives_a_caller_another_tenant(
    live_server: object, connection: Connection, settled: People, superuser: User, with_password: None
) -> None:
    problems: list[str] = []
    with _page(problems) as page:
        _sign_in(page, live_server.url, superuser)
        page.click(".desk-nav >> text=Callers")
        page.click("#result_list >> text=aalto-service")
        page.click(".select2-container")
        page.click(".select2-results__option >> text=Birch AB")
        page.click("input[name=_save]")
        assert "was changed successfully" in page.inner_text(".messagelist")
    assert AuditEvent.objects.get(action="caller.changed").detail["changed"] == ["Tenants"]
    assert problems == []


@pytest.fixture
def refused(settled: People) -> Connection:
    """At a system that ends, with keys and tokens by scopes, refused under a reference of the provider's."""
    scopes = ("invoice:send", "lookup")
    registration = hand_made.registered("maventa")
    row = hand_made.connected(
        settled.aalto,
        registration,
        hand_made.minted(scopes, company_uuid="99445728-5fd3-428a-96e1-ca0cab692276", user_api_key="k" * 32),
        life_seconds=3600,
    )
    Connection.objects.filter(pk=row.pk).update(external_name="Kuura Oy", scopes_asked=scopes, scopes_granted=scopes)
    now = timezone.now()
    for asked in (["validate"], ["document:receive", "document:send", "company:read"]):
        MintedToken.objects.create(
            connection=row,
            scope_key=" ".join(asked),
            scopes=asked,
            issued_at=now,
            expires_at=now + timedelta(minutes=40),
        )
    audit.record_for(row, "credential.stored", audit.CUSTOMER, version=1, account="Kuura Oy")
    audit.record_for(row, "feedback.reported", audit.caller("aalto-service"), error="access_denied", error_id=REFERENCE)
    return row


def test_support_finds_a_connection_by_the_provider_s_reference(
    live_server: object, refused: Connection, settled: People, supporter: User, with_password: None
) -> None:
    problems: list[str] = []
    hand_made.registered("visma-net")
    with _page(problems) as page:
        _sign_in(page, live_server.url, supporter)
        page.click(".desk-nav >> text=Connections")
        page.fill("#searchbar", REFERENCE)
        page.keyboard.press("Enter")
        page.click("#result_list >> text=Kuura Oy")
        facts = page.inner_text("table.facts >> nth=0")
        assert "Company UUID; User API key (sealed; shown to nobody)" in facts
        assert f"{REFERENCE}\nThe provider's support asks for it." in facts
        assert "document:receive document:send company:read\tends in" in page.inner_text("#content")
        page.click(".desk-nav >> text=Client registrations")
        page.click("#changelist-filter >> text=announced")
        page.click("#result_list >> text=Ptn_123")
        assert "announced for 2025-12-31" in page.inner_text(".notice-worry")
    assert problems == []
