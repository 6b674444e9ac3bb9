"""The API's page in a real browser: from our own files, without scripts, wide and narrow, light and dark."""

import pytest
from playwright.sync_api import expect

from tests.fakes.broker import Broker
from tests.journeys.browsing import SECONDS, assert_readable, chrome, context, tab_to
from tests.journeys.installation import Installation

__all__ = ["chrome", "context"]


@pytest.fixture(scope="module")
def broker(installation: Installation, tmp_path_factory: pytest.TempPathFactory):
    with installation.with_sandbox(tmp_path_factory.mktemp("docs")) as (running, _):
        running.start_web()
        yield running


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (360, False), (360, True)])
def test_it_is_readable(broker: Broker, context, width, dark):
    """The profile fails the test when anything is fetched from elsewhere, or the console complains."""
    scheme = "dark" if dark else "light"
    page = context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    page.goto(f"{broker.url}/docs")
    assert page.evaluate("document.styleSheets[0].cssRules.length") > 20
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert_readable(page, width=width, dark=dark)


def test_without_scripts_and_without_a_mouse_every_operation_is_reached(broker: Broker, context):
    page = context(java_script_enabled=False, viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{broker.url}/docs")
    tab_to(page, "To the content")
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")
    links = page.get_by_role("navigation").get_by_role("link", name="getToken", exact=False)
    links.first.click()
    heading = page.get_by_role("heading", name="An access token that is valid for at least min_ttl seconds")
    expect(heading).to_be_in_viewport(timeout=SECONDS)


def test_every_link_of_the_page_leads_somewhere(broker: Broker, context):
    page = context().new_page()
    page.goto(f"{broker.url}/docs")
    dangling = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(one => one.hash.slice(1))"
        ".filter(name => !document.getElementById(name))"
    )
    assert dangling == []
    assert len(page.get_by_role("article").all()) > 50
