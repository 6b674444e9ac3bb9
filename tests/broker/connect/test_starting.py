"""The button: who may press it, what binds the flow to this browser, where it leads."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from tenants.models import AuthorizationRequest, ConnectSession
from tests import people
from tests.broker.connect.customer import at_provider, only_form


def started(customer, link):
    return customer.press(customer.open(link.url))


def flow_cookies(answer):
    return [cookie for name, cookie in answer.cookies.items() if "flow-" in name]


def test_the_button_leads_to_the_provider_by_303(customer, make_link, local_provider):
    answer = started(customer, make_link())
    target = urlsplit(answer["Location"])
    assert (answer.status_code, f"{target.scheme}://{target.netloc}") == (303, local_provider.url)
    asked = parse_qs(target.query)
    assert asked["redirect_uri"] == ["http://127.0.0.1:8000/cb/visma-eaccounting"]
    assert asked["prompt"] == ["select_account"]


def test_without_csrf_token_nothing_starts(customer, make_link):
    link = make_link()
    path = urlsplit(link.url).path
    page = customer.open(link.url)
    for answer in (
        customer.browser.post(path, {"provider": people.PROVIDER}),
        customer.press(page, csrfmiddlewaretoken="x" * 64),
        Client(enforce_csrf_checks=True).post(path, only_form(page).fields),
    ):
        assert answer.status_code == 403
        assert b"csrf_failed" in answer.content
    assert not AuthorizationRequest.objects.exists()
    assert ConnectSession.objects.get().consumed_at is None


def test_a_flow_is_bound_to_the_browser_by_a_cookie_of_its_own(customer, make_link):
    (cookie,) = flow_cookies(started(customer, make_link()))
    flow = AuthorizationRequest.objects.get()
    assert cookie.key == f"demo-flow-{flow.id.hex[:8]}"
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert cookie["secure"] == ""
    assert 1700 < cookie["max-age"] <= 1800
    assert len(cookie.value) >= 43
    assert cookie.value.encode() not in bytes(flow.browser_hash)


def test_over_https_the_cookie_keeps_the_rules_of_its_prefix(customer, make_link, settings):
    settings.PUBLIC_URL, settings.COOKIE_PREFIX = "https://broker.example", "__Host-"
    (cookie,) = flow_cookies(started(customer, make_link()))
    assert cookie.key.startswith("__Host-flow-")
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


def test_forms_may_lead_to_the_provider_and_nowhere_else(customer, make_link, local_provider):
    policy = customer.open(make_link().url)["Content-Security-Policy"]
    assert f"form-action 'self' {local_provider.url};" in policy


def test_a_link_starts_one_flow(customer, make_link):
    link = make_link()
    page, other = customer.open(link.url), type(customer)()
    others = other.open(link.url)
    assert customer.press(page).status_code == 303
    assert other.press(others).status_code == 410
    assert AuthorizationRequest.objects.count() == 1


def test_a_second_press_in_the_same_browser_shows_how_the_first_stands(customer, make_link):
    page = customer.open(make_link().url)
    assert customer.press(page).status_code == 303
    assert customer.press(page)["Location"].startswith("/connect/result/")
    assert AuthorizationRequest.objects.count() == 1


def test_what_the_browser_adds_changes_nothing_that_is_asked(customer, make_link):
    page = customer.open(f"{make_link().url}?scope=ea:accounting&return_url=https://evil.example&client_id=evil")
    answer = customer.press(page, scope="ea:accounting", redirect_uri="https://evil.example", state="x")
    asked = parse_qs(urlsplit(answer["Location"]).query)
    assert "ea:accounting" not in asked["scope"][0].split()
    assert "evil" not in answer["Location"]
    assert ConnectSession.objects.get().return_url == people.RETURN_URL


def test_after_ten_starts_the_link_is_used_up(customer, make_link, settings):
    result = customer.follow(customer.open(at_provider(customer.start(make_link().url), allow=False)))
    for _ in range(settings.CONNECT_MAX_STARTS - 1):
        answer = customer.press(result)
        assert answer.status_code == 303
    assert customer.press(result).status_code == 410
    assert AuthorizationRequest.objects.count() == settings.CONNECT_MAX_STARTS
    last = customer.open(answer.wsgi_request.path.replace("retry", "result"))
    assert b"<form" not in last.content


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_start_nothing(make_link, method):
    answer = getattr(Client(), method)(urlsplit(make_link().url).path)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")
    assert not AuthorizationRequest.objects.exists()
