"""An answer that the provider's page posts: kept without a cookie, judged only for the browser that began."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from broker.services import directory
from tenants.models import AuthorizationRequest, Connection
from tests import people
from tests.broker.connect.customer import Customer, at_provider, only_form, text_of

CALLBACK = "/cb/posting"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def answer(customer, make_link, vendor):
    """What the provider would post. The sandbox puts it into the address, since it was not told otherwise."""
    url = customer.start(make_link(["posting"]).url)
    assert ("response_mode", "form_post") in parse_qsl(urlsplit(url).query)
    back = at_provider(url.replace("&response_mode=form_post", ""))
    return parse_qsl(urlsplit(back).query)


def post(answer, path=CALLBACK, **more):
    """As the provider's page does: from another site, so without our cookies."""
    fields = answer if isinstance(answer, str) else urlencode(answer)
    return Client(enforce_csrf_checks=True).post(path, fields, content_type=FORM, **more)


def exchanges(sandbox):
    return sandbox.log(endpoint="token")


def refused(page):
    return page.status_code == 400 and "authorization_response_invalid" in text_of(page)


def test_it_is_exchanged_once_the_browser_shows_its_cookie(customer, answer, local_provider):
    kept = post(answer)
    flow = AuthorizationRequest.objects.get()
    assert (kept.status_code, kept["Location"]) == (303, f"{CALLBACK}/{flow.id}")
    assert (kept["Cache-Control"], kept["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert not kept.cookies
    assert (exchanges(local_provider), flow.status) == ([], "pending")
    done = customer.open(kept["Location"])
    assert done["Location"] == f"/connect/result/{flow.id}"
    assert "Posting Books is now connected to Aalto Oy." in text_of(customer.follow(done))
    assert len(exchanges(local_provider)) == 1


def test_the_tie_to_the_page_that_opened_a_popup_holds_all_the_way(customer, answer):
    kept = post(answer)
    for page in (kept, customer.open(kept["Location"])):
        assert page["Cross-Origin-Opener-Policy"] == "unsafe-none"


def test_without_the_cookie_nothing_is_exchanged(customer, answer, local_provider):
    kept = post(answer)
    assert refused(Customer().open(kept["Location"]))
    assert exchanges(local_provider) == []
    assert customer.open(kept["Location"]).status_code == 303


def test_the_first_answer_counts(customer, answer, local_provider):
    kept = post(answer)
    state = dict(answer)["state"]
    assert post([("state", state), ("error", "access_denied")])["Location"] == kept["Location"]
    assert "is now connected" in text_of(customer.follow(customer.open(kept["Location"])))


def test_posted_and_asked_for_twice_it_is_exchanged_once(customer, answer, local_provider):
    for _ in range(3):
        assert customer.open(post(answer)["Location"]).status_code == 303
    assert len(exchanges(local_provider)) == 1
    assert Connection.objects.count() == 1


def test_in_the_address_it_is_refused(customer, answer, local_provider):
    assert refused(customer.open(f"{CALLBACK}?{urlencode(answer)}"))
    assert exchanges(local_provider) == []
    assert customer.open(post(answer)["Location"]).status_code == 303


def test_before_it_was_posted_there_is_nothing_to_ask_for(customer, answer, local_provider):
    assert refused(customer.open(f"{CALLBACK}/{AuthorizationRequest.objects.get().id}"))
    assert exchanges(local_provider) == []


@pytest.mark.parametrize("path", ["/cb/visma-eaccounting", "/cb/choosing", "/cb/unknown"])
def test_at_the_address_of_another_registration_it_is_refused(customer, answer, local_provider, path):
    assert refused(post(answer, path))
    kept = post(answer)
    assert refused(customer.open(kept["Location"].replace(CALLBACK, path)))
    assert exchanges(local_provider) == []


def test_another_flow_of_the_same_browser_is_not_taken_for_this_one(customer, answer, make_link, local_provider):
    customer.start(make_link(["posting"]).url)
    other = AuthorizationRequest.objects.order_by("-created_at").first()
    post(answer)
    assert refused(customer.open(f"{CALLBACK}/{other.id}"))
    assert exchanges(local_provider) == []


def test_too_late_it_is_not_used(customer, answer, local_provider):
    kept = post(answer)
    AuthorizationRequest.objects.update(expires_at=timezone.now())
    assert "That took too long" in text_of(customer.follow(customer.open(kept["Location"])))
    assert exchanges(local_provider) == []


def test_a_refusal_that_is_posted_is_told(customer, answer):
    kept = post([("state", dict(answer)["state"]), ("error", "access_denied"), ("error_description", "<b>No</b>")])
    page = customer.follow(customer.open(kept["Location"]))
    assert "You did not approve the access" in text_of(page)
    assert b"<b>No" not in page.content
    assert only_form(page).action.startswith("/connect/retry/")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("", FORM),
        ("state=", FORM),
        ("state={state}&state={state}&code=a", FORM),
        ("STATE={state}&code=a", FORM),
        ("state=%ff%fe&code=a", FORM),
        ("state={state}&code=" + "a" * 70_000, FORM),
        ("state={state}&" + "&".join(f"p{number}=1" for number in range(100)), FORM),
        ('{"state": "{state}", "code": "a"}', "application/json"),
        ("state={state}&code=a", "text/plain"),
        ("state={state}&code=a", ""),
    ],
)
def test_what_is_not_a_small_form_is_refused(customer, answer, local_provider, body, content_type):
    body = body.replace("{state}", dict(answer)["state"])
    page = Client(raise_request_exception=False).post(CALLBACK, body, content_type=content_type)
    assert refused(page)
    assert AuthorizationRequest.objects.get().sealed_response is None
    assert customer.open(post(answer)["Location"]).status_code == 303


@pytest.mark.parametrize("method", ["head", "post", "put", "delete", "options"])
def test_no_other_method_goes_on(customer, answer, local_provider, method):
    kept = post(answer)
    page = getattr(customer.browser, method)(kept["Location"])
    assert (page.status_code, page["Allow"]) == (405, "GET")
    assert exchanges(local_provider) == []
    assert customer.open(kept["Location"]).status_code == 303


def test_what_was_posted_is_not_shown_anywhere(customer, answer, caplog):
    caplog.set_level("DEBUG")
    kept = post(answer)
    done = customer.open(kept["Location"])
    page = customer.follow(done)
    secrets = [dict(answer)["code"], dict(answer)["state"]]
    for shown in (kept, done, page):
        assert not [secret for secret in secrets if secret in f"{shown.headers}{shown.content.decode()}"]
    assert not [secret for secret in secrets if secret in caplog.text]
    assert directory.provider("posting").definition.response_modes_supported == ("form_post",)
    assert people.PROVIDER not in kept["Location"]
