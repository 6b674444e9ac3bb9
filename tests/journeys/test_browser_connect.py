"""A customer with a real browser before the real broker and the real sandbox."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.broker import Broker
from tests.fakes.sandbox import PASSWORD, USER, SandboxProcess
from tests.journeys.browsing import SECONDS, SUBMITS, assert_readable, chrome, context, tab_to
from tests.journeys.service import Service

__all__ = ["chrome", "context"]
CONTINUE = "Continue to Visma eAccounting (Spiris)"
OPENER = b"""<!doctype html><title>tenant</title><script>
const heard = [];
addEventListener("message", event => heard.push([event.origin, event.data]));
</script>"""


@pytest.fixture
def scene(
    journey: Callable[..., tuple[Broker, SandboxProcess]], service: Callable[[Broker], Service]
) -> tuple[Broker, Service]:
    broker, _ = journey()
    broker.start_web()
    return broker, service(broker)


def sign_in(page: Page) -> None:
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def connect(page: Page, link: str, answer: str = "Allow") -> None:
    page.goto(link)
    page.get_by_role("button", name=CONTINUE).click()
    sign_in(page)
    page.get_by_role("button", name=answer, exact=True).click()
    page.wait_for_url("**/connect/result/*")


def test_a_customer_connects_with_the_keyboard_alone(scene, context):
    _, service = scene
    made = service.connect_session()
    page = context().new_page()
    page.goto(made["url"])
    tab_to(page, CONTINUE)
    page.keyboard.press("Enter")
    page.get_by_label("User name").focus()
    page.keyboard.type(USER)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Allow")).to_be_visible(timeout=SECONDS)
    tab_to(page, "Allow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Connected", exact=True)).to_be_visible(timeout=SECONDS)
    assert "?" not in page.url
    assert service.session(made["id"])["state"] == "completed"


def test_without_javascript_it_works_as_well(scene, context):
    _, service = scene
    made = service.connect_session()
    connect(context(java_script_enabled=False).new_page(), made["url"])
    assert service.session(made["id"])["outcome"] == "connected"


def test_a_customer_says_no_and_then_yes(scene, context):
    _, service = scene
    made = service.connect_session(locale="sv")
    page = context().new_page()
    page.goto(made["url"])
    expect(page.locator("html")).to_have_attribute("lang", "sv")
    page.get_by_role("button").click()
    sign_in(page)
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("heading", name="Du godkände inte åtkomsten")).to_be_visible(timeout=SECONDS)
    assert service.session(made["id"])["outcome"] == "access_denied"
    page.get_by_role("button", name="Försök igen").click()
    sign_in(page)
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Ansluten")).to_be_visible(timeout=SECONDS)
    assert service.session(made["id"])["state"] == "completed"


def test_pressing_twice_starts_one_flow(scene, context):
    broker, service = scene
    page = context().new_page()
    page.goto(service.connect_session()["url"])
    # Asked of the page itself, because Chromium, unlike others, does not send a form twice in quick succession anyway.
    assert page.evaluate(SUBMITS) == [True, False, True]
    page.reload()
    page.get_by_role("button", name=CONTINUE).dblclick()
    expect(page.get_by_label("User name")).to_be_visible(timeout=SECONDS)
    assert broker.rows("SELECT starts FROM tenants_connectsession") == [(1,)]


def test_going_back_from_the_provider_is_not_a_dead_end(scene, context):
    _, service = scene
    made = service.connect_session()
    page = context().new_page()
    page.goto(made["url"])
    page.get_by_role("button", name=CONTINUE).click()
    expect(page.get_by_label("User name")).to_be_visible(timeout=SECONDS)
    page.goto(made["url"])
    expect(page.get_by_role("heading", name="You have not finished yet")).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("User name")).to_be_visible(timeout=SECONDS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_and_can_be_read(scene, context, scheme):
    _, service = scene
    page = context(color_scheme=scheme, viewport={"width": 320, "height": 640}).new_page()
    made = service.connect_session(locale="fi")

    def look() -> None:
        assert_readable(page, width=320, dark=scheme == "dark")

    page.goto(made["url"])
    look()
    page.get_by_role("button").click()
    sign_in(page)
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url("**/connect/result/*")
    look()
    page.get_by_role("button").click()
    sign_in(page)
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url("**/connect/result/*")
    look()


@pytest.fixture
def tenant_site() -> Iterator[Callable[[], str]]:
    """Makes origins with a page that remembers which messages it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(OPENER)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing to say."""

    servers: list[ThreadingHTTPServer] = []

    def make() -> str:
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        Thread(target=partial(servers[-1].serve_forever, poll_interval=0.05), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def popup_from(opener: Page, link: str) -> Page:
    with opener.expect_popup() as opened:
        opener.evaluate("link => { window.open(link, 'connect', 'popup'); }", link)
    return opened.value


def test_a_popup_tells_the_page_that_opened_it_and_no_other(scene, context, tenant_site):
    broker, service = scene
    own, foreign = tenant_site(), tenant_site()
    broker.rows("UPDATE tenants_tenant SET return_urls = ARRAY[%s] WHERE slug = 'aalto'", f"{own}/done")
    for site, expected in ((own, True), (foreign, False)):
        made = service.connect_session(return_url=f"{own}/done")
        opener = context().new_page()
        opener.goto(f"{site}/")
        popup = popup_from(opener, made["url"])
        popup.get_by_role("button", name=CONTINUE).click()
        sign_in(popup)
        popup.get_by_role("button", name="Allow").click()
        expect(popup.get_by_role("heading", name="Connected", exact=True)).to_be_visible(timeout=SECONDS)
        assert popup.evaluate("window.opener !== null")
        # Messages arrive in order: once this one is here, one from the page itself would be too.
        popup.evaluate("window.opener.postMessage('last', '*')")
        opener.wait_for_function("heard.some(([, data]) => data === 'last')")
        told = [broker.url, {"connect_session": made["id"], "status": "connected"}]
        assert opener.evaluate("heard.slice(0, -1)") == ([told] if expected else [])


def test_no_page_can_be_framed(scene, chrome, tenant_site):
    broker, service = scene
    # Not from `context`: here the browser has to complain.
    page = chrome.new_page()
    for address in (service.connect_session()["url"], f"{broker.url}/cb/visma-eaccounting?code=c&state=s"):
        page.goto(tenant_site())
        with page.expect_event("requestfailed", lambda request, address=address: request.url == address) as failed:
            page.evaluate(
                "src => document.body.append(Object.assign(document.createElement('iframe'), { src }))", address
            )
        assert failed.value.failure == "net::ERR_BLOCKED_BY_RESPONSE"
    page.close()
