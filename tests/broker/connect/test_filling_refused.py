"""What a form says to values that cannot be right, and to values that the provider does not accept."""

import re

import pytest

from broker.services import sessions
from tenants.models import Connection, ConnectSession, Credential
from tests import people
from tests.broker.connect.customer import Customer, only_form, text_of
from tests.broker.connect.inputs import inputs, tag_of
from tests.broker.connect.vendor import COMPANY, KEY, NAME, PASSWORD, USER

GOOD = {"company": COMPANY, "api_key": KEY}
# Right in form, and nobody's.
WRONG_KEY = "canary-wrong-key-XYZ98765"


@pytest.fixture
def form(customer, make_link, vendor):
    return customer.open(make_link(["books"]).url)


class TestWrongValues:
    @pytest.mark.parametrize(
        ("typed", "field", "words"),
        [
            ({"company": ""}, "company", "Fill in this field."),
            ({"company": "\u200b \t"}, "company", "Fill in this field."),
            ({"company": "0112038-8"}, "company", "One of the digits is wrong"),
            ({"company": "Acme"}, "company", "This is not a business ID."),
            ({"company": "1" * 1001}, "company", "This is too long."),
            ({"api_key": "short"}, "api_key", "Expected: the key as Key Books shows it."),
            ({"api_key": "kéy-kéy-kéy"}, "api_key", "Expected: the key as Key Books shows it."),
        ],
    )
    def test_each_is_said_beside_its_field_and_nothing_is_sent(self, customer, form, vendor, typed, field, words):
        page = customer.press(form, **{**GOOD, **typed})
        html = page.content.decode()
        assert page.status_code == 422
        problem = re.search(rf'id="problem-{field}"[^>]*>([^<]*)<', html)
        assert problem[1].startswith(words) or words in problem[1]
        wrong = inputs(page)[field]
        assert (wrong["aria-invalid"], wrong["aria-describedby"].split()[0]) == ("true", f"problem-{field}")
        assert tag_of(page, field).endswith("autofocus")
        assert f'<a href="#field-{field}">' in html
        assert "<title>Error: Connect" in html
        assert (vendor.calls, Connection.objects.count(), ConnectSession.objects.get().starts) == ([], 0, 0)

    def test_all_that_are_wrong_are_said_at_once(self, customer, form):
        page = customer.press(form, company="0112038-8", api_key="x")
        assert page.content.count(b'aria-invalid="true"') == 2
        assert page.content.count(b" autofocus") == 1

    def test_what_was_typed_is_kept_but_for_secrets(self, customer, form):
        page = customer.press(form, company="0112038-8", api_key=WRONG_KEY)
        assert (inputs(page)["company"]["value"], inputs(page)["api_key"]["value"]) == ("0112038-8", "")
        assert WRONG_KEY.encode() not in page.content
        assert "For your safety it is not shown again." in text_of(page)
        assert "not shown again" not in text_of(customer.press(form, company="", api_key=""))
        assert customer.press(page, **GOOD).status_code == 303

    def test_what_was_typed_is_text_and_not_markup(self, customer, form):
        typed = '"><script>alert(1)</script>\u202e{{ x }}'
        page = customer.press(form, company=typed, api_key=KEY)
        assert b"<script>alert" not in page.content
        assert 'value="&quot;&gt;&lt;script&gt;alert(1)' in page.content.decode()

    @pytest.mark.parametrize("extra", [{"tenant": "birch"}, {"connection": "1"}, {"organisation_id": COMPANY}])
    def test_a_field_the_form_does_not_have_is_refused(self, customer, form, vendor, extra):
        page = customer.press(form, **GOOD, **extra)
        assert (page.status_code, vendor.calls) == (422, [])
        assert "The form has changed since you opened it." in text_of(page)

    def test_a_field_that_comes_twice_is_refused(self, customer, form, vendor):
        fields = {**only_form(form).fields, **GOOD, "api_key": [KEY, KEY]}
        assert customer.browser.post(form.wsgi_request.path, fields).status_code == 400
        assert vendor.calls == []

    @pytest.mark.parametrize(
        ("typed", "words", "marked"),
        [
            ({}, "Fill in one of the options.", 0),
            ({"username": USER}, "Fill in this field.", 1),
            ({**GOOD, "username": USER, "password": PASSWORD}, "Fill in one option only", 0),
        ],
    )
    def test_of_several_ways_exactly_one(self, customer, make_link, vendor, typed, words, marked):
        page = customer.press(customer.open(make_link(["two-ways"]).url), **typed)
        assert (page.status_code, page.content.count(b'aria-invalid="true"')) == (422, marked)
        assert words in text_of(page)
        assert vendor.calls == []


class TestRefusedByTheProvider:
    def test_the_field_it_names_is_marked_and_the_catalogue_explains(self, customer, form):
        page = customer.press(form, company=COMPANY, api_key=WRONG_KEY)
        assert page.status_code == 422
        assert "Key Books does not know this key." in text_of(page)
        assert "For support: credential_refused" in text_of(page)
        assert ("aria-invalid" in inputs(page)["api_key"], "aria-invalid" in inputs(page)["company"]) == (True, False)
        assert customer.press(page, **GOOD).status_code == 303

    @pytest.mark.parametrize(
        ("status", "code", "title", "text"),
        [
            (403, "no_right", "A right is missing in Key <b>Books</b>", "tick the box Integrations in Key Books."),
            (503, "", "Key <b>Books</b> does not answer right now", "Nothing was stored. Wait a few minutes"),
            (429, "", "Key <b>Books</b> does not answer right now", "what you entered may well be right"),
        ],
    )
    def test_its_reason_is_told_and_the_same_form_can_be_sent_again(
        self, customer, form, vendor, status, code, title, text
    ):
        vendor.answer = (status, {"code": code})
        page = customer.press(form, **GOOD)
        assert page.status_code == 422
        assert title in text_of(page)
        assert text in text_of(page)
        assert not Connection.objects.exists()
        vendor.answer = None
        assert customer.press(page, **GOOD).status_code == 303

    def test_a_registration_that_is_refused_is_staffs_matter(self, customer, form, vendor):
        vendor.answer = (401, {"code": "bad_software"})
        page = customer.press(form, **GOOD)
        assert (page.status_code, b"<form" in page.content) == (422, False)
        for words in ("Something is not set up correctly", "This is not your fault", "Tell Aalto Oy the code below."):
            assert words in text_of(page)

    def test_an_answer_nobody_understands_is_not_the_customers_fault(self, customer, form, vendor):
        vendor.answer = (200, {"unexpected": True})
        page = customer.press(form, **GOOD)
        assert (page.status_code, "response_malformed" in text_of(page)) == (422, True)
        assert inputs(page)["company"]["value"] == COMPANY

    def test_attempts_that_reach_the_provider_are_counted(self, customer, form, vendor, settings):
        for _ in range(settings.CONNECT_MAX_STARTS):
            assert customer.press(form, company=COMPANY, api_key=WRONG_KEY).status_code == 422
        page = customer.press(form, **GOOD)
        assert (page.status_code, "connect_link_expired" in text_of(page)) == (410, True)
        assert len(vendor.calls) == settings.CONNECT_MAX_STARTS

    def test_a_company_that_somebody_else_has_is_not_given_away(self, customer, form, vendor, settled, make_link):
        customer.press(form, **GOOD)
        mine = Credential.objects.values().get()
        other = Customer()
        theirs = other.open(sessions.create(settled.birch, ["books"], locale="en", actor=people.STAFF).url)
        page = other.press(theirs, **GOOD)
        assert (page.status_code, "This company is connected already" in text_of(page)) == (422, True)
        assert "Aalto" not in text_of(page)
        assert Credential.objects.values().get() == mine

    def test_another_company_does_not_take_over_a_connection(self, customer, form, vendor, make_link):
        vendor.companies["0201256-6"] = "Birch Oy"
        customer.press(form, **GOOD)
        page = customer.open(make_link(["books"], connection=Connection.objects.get()).url)
        page = customer.press(page, company="0201256-6", api_key=KEY)
        assert (page.status_code, f"connected already: {NAME}" in text_of(page)) == (422, True)
        assert Connection.objects.get().external_name == NAME
