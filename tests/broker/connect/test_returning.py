"""The way back: the address on the tenant's list, and no other, whatever a browser or a caller says."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from broker.connect import returning
from broker.errors import InvalidRequest, ReturnUrlNotAllowed
from broker.services import register
from embedded.demo.forms import read
from tenants.models import ConnectSession, Tenant
from tests import people

GOOD = people.RETURN_URL
HOST = "app.aalto.example"
# Near misses of https://app.aalto.example/connected, and addresses that should never be on a list.
NEAR_MISSES = [
    f"http://{HOST}/connected",
    f"HTTPS://{HOST}/connected",
    f"https://{HOST.upper()}/connected",
    f"https://{HOST}./connected",
    f"https://{HOST}:443/connected",
    f"https://{HOST}:8443/connected",
    f"https://{HOST}/connected/",
    f"https://{HOST}/Connected",
    f"https://{HOST}//connected",
    f"https://{HOST}/./connected",
    f"https://{HOST}/x/../connected",
    f"https://{HOST}/%63onnected",
    f"https://{HOST}/connected?",
    f"https://{HOST}/connected?next=https://evil.example",
    f"https://{HOST}/connected;x",
    f"https://{HOST}/connectedevil",
    f"https://{HOST}/",
    f"https://{HOST}",
    f"https://{HOST}.evil.example/connected",
    f"https://evil.example/{HOST}/connected",
    f"https://evil.example/?{GOOD}",
    f"https://evil{HOST}/connected",
    f"https://sub.{HOST}/connected",
    "https://aalto.example/connected",
    f"https://app-aalto.example/connected?{GOOD}",
    "https://app.aalto.exаmple/connected",
    "https://xn--app-aalto-exmple.example/connected",
    f"https://{HOST}。evil.example/connected",
    f" {GOOD}x",
    f"{GOOD},https://evil.example",
]
NEVER = [
    "//evil.example/connected",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:\\\\evil.example",
    "https:/\\evil.example",
    f"https://{HOST}\\@evil.example/connected",
    f"https://{HOST}@evil.example/connected",
    f"https://user:password@{HOST}/connected",
    f"https://evil.example#@{HOST}/connected",
    f"{GOOD}#fragment",
    "https:evil.example",
    "https:///evil.example",
    "https://",
    "http://evil.example/connected",
    "ftp://evil.example/connected",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    f"{GOOD}\r\nSet-Cookie: a=b",
    f"https://{HOST}\t.evil.example/connected",
    f" {GOOD}",
    f"{GOOD} ",
    "%2f%2fevil.example",
    "https://[::1",
    "/connected",
    "connected",
    f"{GOOD}?{'x' * 500}",
]


def hrefs(page):
    return [part.split('"')[0] for part in page.content.decode().split('href="')[1:]]


def test_the_corpus_is_as_large_as_it_is_said_to_be():
    assert len({*NEAR_MISSES, *NEVER}) >= 60


def test_a_link_is_not_made_for_an_address_that_is_not_on_the_list(make_link):
    for url in [*NEAR_MISSES, *NEVER]:
        with pytest.raises(ReturnUrlNotAllowed):
            make_link(return_url=url)
    assert not ConnectSession.objects.exists()


@pytest.mark.django_db
def test_an_address_that_no_list_should_hold_does_not_get_onto_one():
    for url in NEVER:
        with pytest.raises(InvalidRequest):
            register.create_tenant("nasty", name="Nasty", return_urls=[url], actor=people.STAFF)
    assert not Tenant.objects.exists()


def test_a_page_never_links_to_what_is_not_on_the_list(customer, make_link):
    """Although a session should hold it, as after a change of the list."""
    page = customer.connect(make_link().url)
    assert any(GOOD in href for href in hrefs(page))
    for url in [*NEAR_MISSES, *NEVER]:
        ConnectSession.objects.update(return_url=url[:500])
        shown = customer.open(page.wsgi_request.path)
        assert shown.status_code == 200
        foreign = [href for href in hrefs(shown) if not href.startswith(("?lang=", "/static/", "data:,"))]
        assert foreign == [], url
        assert b"postMessage" not in shown.content


def test_a_list_that_holds_a_script_makes_no_link():
    for url in ("javascript:alert(1)", "data:text/html,x", "//evil.example"):
        session = ConnectSession(return_url=url, tenant=Tenant(return_urls=[url]))
        assert (returning.link(session, "connected"), returning.origin(session)) == ("", "")


def test_what_the_browser_says_about_the_way_back_is_ignored(customer, make_link):
    link = make_link()
    page = customer.open(f"{link.url}?return_url=https://evil.example")
    assert customer.press(page, return_url="https://evil.example").status_code == 303
    result = customer.follow(customer.open(link.url))
    result = customer.open(f"{result.wsgi_request.path}?return_url=https://evil.example&origin=https://evil.example")
    assert b"evil" not in result.content


@pytest.mark.parametrize("allow", [True, False])
def test_the_way_back_says_how_it_ended(customer, make_link, allow):
    page = customer.connect(make_link().url, allow=allow)
    (back,) = [href for href in hrefs(page) if href.startswith(GOOD)]
    session = ConnectSession.objects.get()
    status = "connected" if allow else "failed"
    assert back == f"{GOOD}?connect_session={session.id}&amp;status={status}"
    assert f'data-origin="https://{HOST}" data-session="{session.id}" data-status="{status}"' in page.content.decode()
    assert "Back to Aalto Oy" in read(page.content.decode())[1]


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://a.example/x?",
        "https://a.example/x?a=1&a=%20b+c&d",
        "https://a.example:8443/?q=%2F",
    ],
)
def test_a_query_of_its_own_is_kept(url):
    session = ConnectSession(return_url=url, tenant=Tenant(return_urls=[url]))
    before, after = urlsplit(url), urlsplit(returning.link(session, "failed"))
    assert (after.scheme, after.netloc, after.path) == (before.scheme, before.netloc, before.path)
    assert after.query.startswith(before.query)
    ours = [("connect_session", str(session.id)), ("status", "failed")]
    assert parse_qsl(after.query)[-2:] == ours
    assert returning.origin(session) == f"https://{before.netloc}"


def test_without_a_return_address_there_is_no_link_and_no_message(customer, make_link):
    page = customer.connect(make_link(return_url="").url)
    assert b"postMessage" not in page.content
    assert "You can close this page." in read(page.content.decode())[1]
    assert page["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
