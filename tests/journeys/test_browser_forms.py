"""A customer with a real browser: forms to fill in, companies to choose from, and an answer that is posted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from embedded.manage import Manage
from tests.broker.connect.vendor import Vendor
from tests.fakes.broker import Broker
from tests.fakes.sandbox import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, SandboxProcess
from tests.journeys.browsing import SECONDS, SUBMITS, assert_readable, chrome, context
from tests.journeys.service import Service

__all__ = ["chrome", "context"]
PARTNER, PARTNER_KEY = "Ptn_1234567890", "partner-canary-" + "a" * 17
CUSTOMER, CUSTOMER_KEY, BUSINESS_ID = "XX_1234567890", "customerCanary" + "b" * 18, "0112038-9"
WRONG_KEY = "wrongCanary" + "c" * 21
Scene = tuple[Broker, SandboxProcess, Service]


@pytest.fixture
def scene(
    journey: Callable[..., tuple[Broker, SandboxProcess]], service: Callable[[Broker], Service], tmp_path: Path
) -> Scene:
    """A broker and a sandbox, each of which knows a Netvisor partner and its customer."""
    broker, sandbox = journey()
    netvisor = sandbox.system("netvisor")
    netvisor.put("partners", PARTNER, {"key": PARTNER_KEY})
    customer = {"key": CUSTOMER_KEY, "organisation_id": BUSINESS_ID, "name": "Acme Oy", "rights": True}
    netvisor.put("customers", CUSTOMER, customer)
    register(broker, tmp_path, "netvisor", PARTNER, PARTNER_KEY, "--parameter", "sender=Aalto")
    broker.secrets |= {CUSTOMER_KEY, WRONG_KEY, PARTNER_KEY}
    broker.start_web()
    return broker, sandbox, service(broker)


def register(broker: Broker, folder: Path, provider: str, client_id: str, secret: str, *more: str) -> None:
    file = folder / f"{provider}-secret"
    file.write_text(secret)
    words = ["--environment", "local", "--client-id", client_id, "--client-secret-file", str(file)]
    broker.manage.run("register_client", provider, *words, "--redirect-key", provider, *more)


def fill_in(page: Page, *, key: str = CUSTOMER_KEY, business_id: str = BUSINESS_ID) -> None:
    page.locator("#field-customer_id").fill(CUSTOMER)
    page.locator("#field-customer_key").fill(key)
    page.locator("#field-organisation_id").fill(business_id)


def press(page: Page, name: str = "Connect") -> None:
    page.get_by_role("button", name=name, exact=True).click()


def shows(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible(timeout=SECONDS)


def is_focused(page: Page, identifier: str) -> bool:
    found = page.locator(":focus")
    return found.count() == 1 and found.get_attribute("id") == identifier


def tab_until(page: Page, true: Callable[[], bool]) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if true():
            style = page.locator(":focus").evaluate("element => getComputedStyle(element).outlineStyle")
            assert style == "solid"
            return
    raise AssertionError("Tab never gets there")


def test_a_form_is_filled_in_with_the_keyboard_alone(scene: Scene, context: Callable[..., BrowserContext]) -> None:
    broker, sandbox, service = scene
    made = service.connect_session(provider="netvisor")
    page = context().new_page()
    page.goto(made["url"])
    for name, value in (("customer_id", f" {CUSTOMER}\t"), ("customer_key", CUSTOMER_KEY)):
        tab_until(page, lambda name=name: is_focused(page, f"field-{name}"))
        page.keyboard.insert_text(value)
    key = page.locator("#field-customer_key")
    for button, kind in (("Show", "text"), ("Hide", "password")):
        tab_until(page, lambda button=button: page.locator(":focus").inner_text().startswith(button))
        page.keyboard.press("Space")
        expect(key).to_have_attribute("type", kind)
        page.keyboard.press("Shift+Tab")
    tab_until(page, lambda: is_focused(page, "field-organisation_id"))
    page.keyboard.type(BUSINESS_ID)
    page.keyboard.press("Enter")
    shows(page, "Connected")
    expect(page.get_by_text(f"Connected company: {BUSINESS_ID}")).to_be_visible()
    assert "?" not in page.url
    session = service.session(made["id"])
    assert (session["state"], len(sandbox.log(endpoint="netvisor"))) == ("completed", 1)
    request = {"method": "GET", "url": f"{sandbox.url}/netvisor/customerlist.nv"}
    assert service.headers(session["connection"], request)["single_use"]
    assert broker.leaks() == []


def test_a_wrong_value_is_found_by_its_message_without_javascript(
    scene: Scene, context: Callable[..., BrowserContext]
) -> None:
    _, _, service = scene
    page = context(java_script_enabled=False).new_page()
    page.goto(service.connect_session(provider="netvisor")["url"])
    assert not page.locator("button.show").is_visible()
    fill_in(page, key=WRONG_KEY, business_id="0112038-8")
    press(page)
    expect(page.get_by_role("alert")).to_contain_text("Check what you entered")
    assert page.title() == "Error: Connect Netvisor"
    assert is_focused(page, "field-organisation_id")
    assert page.locator("#field-organisation_id").input_value() == "0112038-8"
    assert page.locator("#field-customer_id").input_value() == CUSTOMER
    assert page.locator("#field-customer_key").input_value() == ""
    page.get_by_role("alert").get_by_role("link").click()
    assert page.url.endswith("#field-organisation_id")
    assert WRONG_KEY not in page.url
    fill_in(page, key=WRONG_KEY)
    press(page)
    expect(page.get_by_role("alert")).to_contain_text("Netvisor")
    assert WRONG_KEY not in page.content()
    fill_in(page)
    press(page)
    shows(page, "Connected")


def test_pressing_twice_sends_one_form_and_going_back_shows_its_result(
    scene: Scene, context: Callable[..., BrowserContext]
) -> None:
    _, sandbox, service = scene
    page = context().new_page()
    page.goto(service.connect_session(provider="netvisor")["url"])
    assert page.evaluate(SUBMITS) == [True, False, True]
    page.reload()
    fill_in(page)
    press(page, "Show Key (Customer key)")
    page.get_by_role("button", name="Connect", exact=True).dblclick()
    shows(page, "Connected")
    assert len(sandbox.log(endpoint="netvisor")) == 1
    page.go_back()
    shows(page, "Connected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_form_fits_a_phone_and_can_be_read(
    scene: Scene, context: Callable[..., BrowserContext], scheme: Any
) -> None:
    _, _, service = scene
    page = context(color_scheme=scheme, viewport={"width": 320, "height": 640}).new_page()
    page.goto(service.connect_session(provider="netvisor", locale="fi")["url"])
    assert_readable(page, width=320, dark=scheme == "dark")
    fill_in(page, key=WRONG_KEY, business_id="0112038-8")
    page.locator("form button[type=submit]").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert_readable(page, width=320, dark=scheme == "dark")
    fill_in(page, key=WRONG_KEY)
    page.locator("form button[type=submit]").click()
    expect(page.get_by_role("alert")).to_contain_text("Netvisor")
    assert_readable(page, width=320, dark=scheme == "dark")


def test_a_company_is_chosen_with_the_keyboard_alone(
    journey: Callable[..., tuple[Broker, SandboxProcess]],
    service: Callable[[Broker], Service],
    context: Callable[..., BrowserContext],
    tmp_path: Path,
) -> None:
    broker, sandbox = journey()
    with Vendor() as vendor:
        add_stand_in(broker, sandbox, vendor, tmp_path, "choosing")
        broker.start_web()
        caller = service(broker)
        made = caller.connect_session(provider="choosing")
        page = context(color_scheme="dark", viewport={"width": 320, "height": 640}).new_page()
        page.goto(made["url"])
        press(page, "Continue to Many Books")
        sign_in(page)
        shows(page, "Which company do you want to connect?")
        assert_readable(page, width=320, dark=True)
        press(page)
        # The browser asks for a choice by itself; nothing was sent.
        assert page.evaluate("document.querySelector(':invalid') !== null")
        page.reload()
        tab_until(page, lambda: page.locator(":focus").get_attribute("name") == "company")
        page.keyboard.press("ArrowDown")
        assert_readable(page, width=320, dark=True)
        page.keyboard.press("Enter")
        shows(page, "Connected")
        expect(page.get_by_text("Connected company: Second Oy")).to_be_visible()
        page.go_back()
        shows(page, "Connected")
        assert caller.session(made["id"])["state"] == "completed"


@pytest.mark.parametrize("script", [True, False])
def test_an_answer_posted_from_another_site_reaches_the_browser_that_asked(
    journey: Callable[..., tuple[Broker, SandboxProcess]],
    service: Callable[[Broker], Service],
    context: Callable[..., BrowserContext],
    tmp_path: Path,
    script: bool,
) -> None:
    broker, sandbox = journey()
    # Another site than the sandbox's 127.0.0.1, for a browser: so that it does withhold the cookie from the post.
    elsewhere = broker.url.replace("127.0.0.1", "localhost")
    broker.manage = Manage({**broker.manage.variables, "PUBLIC_URL": elsewhere, "ALLOWED_HOSTS": "localhost,127.0.0.1"})
    with Vendor() as vendor:
        add_stand_in(broker, sandbox, vendor, tmp_path, "posting", at=elsewhere)
        broker.start_web()
        page = context(java_script_enabled=script).new_page()
        posted = watch_posts(page, f"{elsewhere}/cb/posting")
        page.goto(service(broker).connect_session(provider="posting")["url"])
        assert page.url.startswith(elsewhere)
        press(page, "Continue to Posting Books")
        sign_in(page)
        if not script:
            press(page, "Continue")
        shows(page, "Connected")
        assert page.url.startswith(f"{elsewhere}/connect/result/")
        assert [sorted(name for name in sent if name == "cookie") for sent in posted] == [[]]
        assert [entry["decision"] for entry in sandbox.log(endpoint="token")] == ["issued"]


def add_stand_in(
    broker: Broker, sandbox: SandboxProcess, vendor: Vendor, folder: Path, provider: str, *, at: str = ""
) -> None:
    """A provider that nobody has heard of, whose customers sign in at the sandbox."""
    vendor.write_catalogue(broker.catalogue, sandbox.url)
    register(broker, folder, provider, CLIENT_ID, CLIENT_SECRET)
    sandbox.allow_redirect_uri(f"{at or broker.url}/cb/{provider}")
    if provider == "posting":
        sandbox.update_client(response_modes=["form_post", "query"])


def sign_in(page: Page) -> None:
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    press(page, "Allow")


def watch_posts(page: Page, address: str) -> list[dict[str, str]]:
    """The headers of each post to an address, as the browser really sends them."""
    seen: list[dict[str, str]] = []
    page.on(
        "request", lambda one: seen.append(one.all_headers()) if (one.method, one.url) == ("POST", address) else None
    )
    return seen
