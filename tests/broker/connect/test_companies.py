"""Which of several companies: asked after the consent, of the browser that was there, and of no other."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.models import AuthorizationRequest, Connection, Credential
from tests.broker.connect.customer import Customer, at_provider, only_form, text_of
from tests.house.canaries import dump


@pytest.fixture
def choice(customer, make_link, vendor):
    """The page with the companies."""
    answer = customer.come_back(make_link(["choosing"]).url)
    assert answer["Location"].startswith("/connect/company/")
    return customer.follow(answer)


def listed(page):
    return page.content.decode().count('type="radio"')


def test_the_companies_are_listed_and_the_chosen_one_is_connected(customer, choice):
    text = text_of(choice)
    assert "Your access in Many Books reaches several companies." in text
    assert ("First Oy" in text, "Second Oy" in text, listed(choice)) == (True, True, 2)
    assert not Connection.objects.exists()
    answer = customer.press(choice, company="2")
    assert (answer.status_code, answer["Location"].startswith("/connect/result/")) == (303, True)
    assert "Connected company: Second Oy" in text_of(customer.follow(answer))
    assert Connection.objects.get().external_name == "Second Oy"


def test_nothing_is_chosen_for_the_customer(choice):
    assert b"checked" not in choice.content
    assert only_form(choice).fields.keys() == {"csrfmiddlewaretoken"}
    assert "form-action 'self';" in choice["Content-Security-Policy"]
    assert choice["Cache-Control"] == "no-store"


def test_a_single_company_is_taken_at_once(customer, make_link, vendor):
    vendor.listed = vendor.listed[:1]
    answer = customer.come_back(make_link(["choosing"]).url)
    assert "Connected company: First Oy" in text_of(customer.follow(answer))


@pytest.mark.parametrize("picked", ["", "3", "1 ", "First Oy", "\x00", "9" * 5000])
def test_a_company_that_is_not_listed_is_refused_and_the_choice_stays(customer, choice, picked):
    page = customer.press(choice, company=picked)
    assert (page.status_code, "Choose one of the companies below" in text_of(page), listed(page)) == (422, True, 2)
    assert not Connection.objects.exists()
    assert customer.press(page, company="1").status_code == 303


def test_two_companies_are_not_chosen(customer, choice):
    fields = {**only_form(choice).fields, "company": ["1", "2"]}
    assert customer.browser.post(choice.wsgi_request.path, fields).status_code == 400
    assert not Connection.objects.exists()


def test_names_are_text_cut_and_kept_in_their_direction(customer, make_link, vendor):
    vendor.listed = [
        {"id": "1", "name": "<script>alert(1)</script>"},
        {"id": "2", "name": "\u202eOy\u2066 evil"},
        {"id": "3", "name": "A" * 5000},
        {"id": "4", "name": "Twin AS"},
        {"id": "5", "name": "Twin AS"},
    ]
    page = customer.follow(customer.come_back(make_link(["choosing"]).url))
    html = page.content.decode()
    assert "<script>alert" not in html
    assert not {"\u202e", "\u2066"} & set(html)
    assert html.count("<bdi>") >= 5
    assert "A" * 121 not in html
    assert "Twin AS 4" in text_of(page)
    assert "Twin AS 5" in text_of(page)


def test_another_browser_neither_sees_nor_chooses(customer, choice):
    stranger = Customer()
    path = choice.wsgi_request.path
    seen = stranger.open(path)
    assert (seen.status_code, "First Oy" in text_of(seen)) == (400, False)
    stranger.browser.cookies["demo-csrf"] = customer.browser.cookies["demo-csrf"].value
    assert stranger.press(choice, company="1").status_code == 400
    assert not Connection.objects.exists()


def test_a_choice_of_another_flow_does_not_count(customer, choice, make_link):
    other = Customer()
    other.come_back(make_link(["choosing"]).url)
    theirs = AuthorizationRequest.objects.order_by("-created_at").first()
    answer = customer.browser.post(f"/connect/company/{theirs.id}", {**only_form(choice).fields, "company": "1"})
    assert (answer.status_code, Connection.objects.count()) == (400, 0)


def test_without_csrf_token_nothing_is_chosen(customer, choice):
    assert customer.browser.post(choice.wsgi_request.path, {"company": "1"}).status_code == 403
    assert customer.press(choice, csrfmiddlewaretoken="x" * 64, company="1").status_code == 403
    assert not Connection.objects.exists()


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(customer, choice, method):
    answer = getattr(customer.browser, method)(choice.wsgi_request.path)
    assert answer.status_code in (403, 405)
    assert not Connection.objects.exists()


def test_every_way_back_leads_to_the_choice_until_it_is_made(customer, choice, make_link):
    path = choice.wsgi_request.path
    result = path.replace("company", "result")
    assert customer.open(result)["Location"] == path
    customer.press(choice, company="1")
    assert customer.open(path)["Location"] == result
    again = customer.press(choice, company="2")
    assert again["Location"] == result
    assert Connection.objects.get().external_name == "First Oy"


def test_when_the_time_is_over_it_can_be_started_again(customer, choice):
    AuthorizationRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for answer in (customer.open(choice.wsgi_request.path), customer.press(choice, company="1")):
        page = customer.follow(answer)
        assert "That took too long" in text_of(page)
    assert not Connection.objects.exists()
    again = customer.press(page)
    answer = customer.open(at_provider(again["Location"]))
    assert answer["Location"].startswith("/connect/company/")


def test_a_provider_that_does_not_answer_leaves_the_choice_open(customer, choice, vendor):
    vendor.answer = (503, {})
    page = customer.press(choice, company="1")
    assert (page.status_code, "does not answer right now" in text_of(page), listed(page)) == (422, True, 2)
    vendor.answer = None
    assert customer.press(page, company="1").status_code == 303


def test_a_role_that_is_missing_is_explained_in_the_catalogues_words(customer, make_link, vendor):
    vendor.answer = (403, {"code": "no_role"})
    page = customer.follow(customer.come_back(make_link(["choosing"]).url))
    assert "A right is missing in Many Books" in text_of(page)
    assert "Give the user the role Integrations in Many Books." in text_of(page)
    assert only_form(page).action.startswith("/connect/retry/")


def test_what_was_granted_is_sealed_while_the_customer_chooses(choice, local_provider):
    (issued,) = [one for one in local_provider.log(endpoint="token") if one["decision"] == "issued"]
    flow = AuthorizationRequest.objects.get()
    assert issued
    assert flow.sealed_credential is not None
    assert not Credential.objects.exists()
    assert not [value for value in dump() if b"First Oy" in value]


def test_the_page_speaks_the_language_that_was_chosen(customer, choice):
    page = customer.open(f"{choice.wsgi_request.path}?lang=sv")
    assert page["Content-Language"] == "sv"
