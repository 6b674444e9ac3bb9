"""Every page: out of caches and frames, nothing foreign in it, no script but our own."""

import re

import pytest

from tests.broker.connect.customer import Customer

FOREIGN = re.compile(r"""(?:src|href|action|data|poster|srcset)=["']?(?:[a-z]+:)?//""", re.IGNORECASE)
INLINE = re.compile(r"""<[^>]+\s(?:on[a-z]+|style)=|<style|javascript:""", re.IGNORECASE)
SCRIPT = re.compile(r"<script\b([^>]*)>")


@pytest.fixture
def pages(customer, make_link, vendor):
    """One of each kind, by name; none has a return URL, whose link is the one foreign address there may be."""
    form = customer.open(make_link(["books"], return_url="").url)
    choice = customer.come_back(make_link(["choosing"], return_url="").url)
    link, second = make_link(return_url=""), make_link(return_url="")
    asking = customer.open(link.url)
    back = customer.come_back(link.url)
    return {
        "asking": asking,
        "form": form,
        "form again": customer.press(form, company="0112038-8", api_key="canary-key"),
        "to the company": choice,
        "company": customer.follow(choice),
        "to the provider": customer.press(customer.open(second.url)),
        "callback": back,
        "connected": customer.follow(back),
        "denied": Customer().connect(make_link(return_url="").url, allow=False),
        "unknown link": customer.open("/connect/" + "x" * 43),
        "used link": Customer().open(link.url),
        "refused answer": customer.open("/cb/visma-eaccounting?code=c&state=s"),
        "no page": customer.open("/nothing/here"),
        "no csrf": customer.browser.post("/connect/" + "x" * 43),
        "wrong method": customer.browser.put("/connect/" + "x" * 43),
    }


def test_every_answer_keeps_the_rules(pages):
    for name, page in pages.items():
        policy = page["Content-Security-Policy"]
        assert page["Cache-Control"] == "no-store", name
        assert page["X-Frame-Options"] == "DENY", name
        assert page["X-Content-Type-Options"] == "nosniff", name
        assert page["Referrer-Policy"] in ("no-referrer", "same-origin"), name
        for rule in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in policy, name
        assert "unsafe" not in policy, name


def test_no_referrer_leaves_where_the_address_is_secret_or_there_is_no_form(pages):
    kept = {name for name, page in pages.items() if page["Referrer-Policy"] == "same-origin"}
    assert kept == {"asking", "form", "form again", "company", "connected", "denied"}


def test_a_page_holds_nothing_foreign_and_no_script_without_its_nonce(pages):
    for name, page in pages.items():
        html = page.content.decode()
        assert not FOREIGN.search(html), name
        assert not INLINE.search(html), name
        (nonce,) = re.findall(r"script-src 'self' 'nonce-([\w-]+)'", page["Content-Security-Policy"])
        assert all(f'nonce="{nonce}"' in attributes for attributes in SCRIPT.findall(html)), name


def test_a_nonce_is_used_once(customer, make_link):
    link = make_link()
    first, second = (customer.open(link.url)["Content-Security-Policy"] for _ in range(2))
    assert first != second


def test_a_page_holds_no_secret(customer, make_link, pages):
    secrets = [morsel.value for name, morsel in customer.browser.cookies.items() if "flow-" in name]
    assert len(secrets) >= 2
    for name, page in pages.items():
        assert not any(secret in page.content.decode() for secret in secrets), name


def test_a_failure_page_has_its_status_and_its_code(pages):
    expected = {
        "unknown link": (404, "connect_link_invalid"),
        "used link": (410, "connect_link_expired"),
        "refused answer": (400, "authorization_response_invalid"),
        "no page": (404, "route_not_found"),
        "no csrf": (403, "csrf_failed"),
        "wrong method": (403, "csrf_failed"),
    }
    for name, (status, code) in expected.items():
        assert pages[name].status_code == status, name
        assert f"<code>{code}</code>" in pages[name].content.decode(), name
