"""The desk in a real browser, under the content security policy that it is served with."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, sync_playwright

from tenants.models import AuditEvent, Connection
from tests.people import People
from tests.tools import browser as chromium

PASSWORD = "a long enough password"


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
