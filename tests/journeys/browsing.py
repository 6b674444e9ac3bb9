"""A real browser before the real broker: profiles that complain, and what a page is measured by.

from tests.journeys.browsing import chrome, context  # fixtures
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.tools import browser as chromium

SECONDS = 20_000.0
# The contrast of every text with what is painted behind it. Source: WCAG 2.2, "relative luminance".
CONTRASTS = """() => {
  const parse = color => color.match(/[\\d.]+/g).map(Number);
  const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
  };
  const texts = [...document.querySelectorAll("body *")].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()) && !one.matches("script"));
  return texts.map(one => {
    const [a, b] = [luminance(parse(getComputedStyle(one).color)), luminance(behind(one))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.textContent.trim().slice(0, 40)];
  });
}"""
# Whether the form would be sent: at first, again, and after the person came back to the page.
SUBMITS = """() => {
  const send = () => document.querySelector("form").dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
  return [send(), send(), (dispatchEvent(new Event("pageshow")), send())];
}"""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=chromium.LAUNCH_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chrome: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser profiles; a page that complains on its console, or asks anybody else, fails the test."""
    made: list[BrowserContext] = []
    complaints: list[str] = []

    def make(**options: Any) -> BrowserContext:
        one = chrome.new_context(**options)
        one.set_default_timeout(SECONDS)
        one.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
        one.on("request", lambda request: complaints.append(request.url) if _is_foreign(request.url) else None)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
    assert complaints == []


def _is_complaint(message: ConsoleMessage) -> bool:
    # A form that is shown again has this status, and Chromium tells of it.
    return message.type == "error" and "status of 422" not in message.text


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "http://localhost:", "data:,"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element of that name has the focus, and see that it is shown."""
    for _ in range(15):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and focused.inner_text().strip() == name:
            assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
            assert focused.evaluate("element => parseFloat(getComputedStyle(element).outlineWidth)") >= 2
            return
    raise AssertionError(f"Tab never reaches {name!r}")


def assert_readable(page: Page, *, width: int, dark: bool) -> None:
    """Nothing sticks out, every text stands out, and the colours are those that were asked for."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) >= 3
    assert [one for one in contrasts if one[0] < 4.5] == [], page.url
    assert (page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 28)") is dark
