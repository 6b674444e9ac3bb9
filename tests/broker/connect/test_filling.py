"""The form of a provider whose credential is typed in: what it says, what it takes, and what it says back."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection as database
from django.test import Client

from tenants.models import AuthorizationRequest, Connection, Credential
from tests import people
from tests.broker.connect.customer import Customer, only_form, text_of
from tests.broker.connect.inputs import inputs, tag_of
from tests.broker.connect.vendor import COMPANY, KEY, NAME, PASSWORD, USER
from tests.house.canaries import dump

GOOD = {"company": COMPANY, "api_key": KEY}
# Right in form, and nobody's.
WRONG_KEY = "canary-wrong-key-XYZ98765"


@pytest.fixture
def form(customer, make_link, vendor):
    return customer.open(make_link(["books"]).url)


class TestThePage:
    def test_it_says_who_asks_for_what_and_where_the_values_are_found(self, form):
        text = text_of(form)
        for words in (
            "Aalto Oy asks for access to your company's data in Key <b>Books</b>.",
            "You need a key of Key Books.",
            "In Key Books, open Settings and choose Keys.",
            "Example: 0112038-9",
            "The connection ends when the key is deleted.",
            "ask Key <b>Books</b> once whether this is right",
        ):
            assert words in text

    def test_each_field_is_tied_to_its_words(self, form):
        html = form.content.decode()
        for name, field in inputs(form).items():
            if name in GOOD:
                assert f'<label for="{field["id"]}">' in html
                assert field["aria-describedby"].split()
                for described in field["aria-describedby"].split():
                    assert html.count(f'id="{described}"') == 1
                assert (field["autocomplete"], field["spellcheck"]) == ("off", "false")
                assert " required" in tag_of(form, name)
        assert (inputs(form)["company"]["type"], inputs(form)["api_key"]["type"]) == ("text", "password")
        assert inputs(form)["company"]["inputmode"] == "numeric"

    def test_the_link_to_the_provider_tells_it_nothing_of_the_page(self, customer, make_link, vendor):
        page = customer.open(make_link(["two-ways"]).url)
        (link,) = re.findall(r"<a ([^>]*books\.example[^>]*)>", page.content.decode())
        assert 'href="https://books.example/start?software=aalto-software"' in link
        assert 'rel="noopener noreferrer"' in link

    def test_it_may_be_sent_to_us_only(self, form, vendor):
        assert "form-action 'self';" in form["Content-Security-Policy"]
        assert vendor.calls == []

    def test_without_fields_there_is_a_button_and_nothing_else(self, customer, make_link, vendor):
        page = customer.open(make_link(["open"]).url)
        assert only_form(page).fields.keys() == {"csrfmiddlewaretoken", "provider"}
        assert "There is nothing to fill in." in text_of(page)
        result = customer.follow(customer.press(page))
        assert "Connected company: The house" in text_of(result)

    def test_forms_and_sign_ins_can_be_offered_side_by_side(self, customer, make_link, vendor):
        link = make_link([people.PROVIDER, "books", "open"])
        choice = text_of(customer.open(link.url))
        assert "Visma eAccounting (Spiris) Key <b>Books</b> Open Door" in choice
        assert "Continue to" in text_of(customer.open(f"{link.url}?provider={people.PROVIDER}"))
        page = customer.open(f"{link.url}?provider=books")
        assert "api_key" in inputs(page)
        assert customer.press(page, **GOOD).status_code == 303


class TestGoodValues:
    def test_they_connect_with_one_call_and_end_on_a_clean_address(self, customer, form, vendor):
        answer = customer.press(form, **GOOD)
        assert (answer.status_code, answer["Cache-Control"]) == (303, "no-store")
        assert len(vendor.calls) == 1
        assert answer["Location"].endswith(f"/connect/result/{AuthorizationRequest.objects.get().id}")
        assert f"Connected company: {NAME}" in text_of(customer.follow(answer))
        assert Connection.objects.get().state == "connected"

    def test_what_comes_along_when_pasting_does_no_harm(self, customer, form):
        answer = customer.press(form, company=" 0112038–9\u200b\r\n", api_key=f'"{KEY[:8]} {KEY[8:]}"\t')
        assert answer.status_code == 303

    def test_sent_again_the_form_leads_to_its_result(self, customer, form, vendor):
        first = customer.press(form, **GOOD)
        again = customer.press(form, **GOOD)
        assert again.status_code == 303
        assert "is now connected" in text_of(customer.follow(again))
        assert (Connection.objects.count(), len(vendor.calls)) == (1, 1)
        assert first.status_code == 303

    def test_the_link_that_was_used_leads_to_the_result_here_and_nowhere_else(self, customer, form):
        path = form.wsgi_request.path
        customer.press(form, **GOOD)
        assert "is now connected" in text_of(customer.follow(customer.open(path)))
        assert Customer().open(path).status_code == 410

    def test_nobody_else_sees_the_result(self, customer, form):
        result = customer.follow(customer.press(form, **GOOD))
        answer = Customer().open(result.wsgi_request.path)
        assert (answer.status_code, NAME in text_of(answer)) == (400, False)

    @pytest.mark.parametrize("typed", [GOOD, {"username": USER, "password": PASSWORD}])
    def test_of_several_ways_one_is_enough(self, customer, make_link, vendor, typed):
        page = customer.open(make_link(["two-ways"]).url)
        assert page.content.count(b"<fieldset") == page.content.count(b"<legend") == 2
        assert "Option 1 Business ID API key" in " ".join(text_of(page).replace("Show API key", "").split())
        assert not any(" required" in tag_of(page, name) for name in inputs(page))
        assert customer.press(page, **typed).status_code == 303

    def test_a_key_is_replaced_under_the_same_connection(self, customer, form, make_link):
        customer.press(form, **GOOD)
        before = Connection.objects.get()
        page = customer.open(make_link(["books"], connection=before).url)
        assert f"the same company as before: {NAME}" in text_of(page)
        assert customer.press(page, **GOOD).status_code == 303
        assert Connection.objects.get().pk == before.pk


class TestSafety:
    def test_sent_four_times_at_once_it_connects_once(self, customer, form, vendor):
        fields = {**only_form(form).fields, **GOOD}
        judge, together = vendor.judge, Barrier(4, timeout=20)
        # All of them are on their way before the first is answered.
        vendor.judge = lambda *asked: (together.wait(), judge(*asked))[1]

        def send(_number):
            browser = Client(enforce_csrf_checks=True)
            browser.cookies.load(customer.browser.cookies.output(header="", sep=";"))
            try:
                answer = browser.post(form.wsgi_request.path, fields)
                return answer.status_code, browser.get(answer["Location"]).status_code
            finally:
                database.close()

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(send, range(4))) == [(303, 200)] * 4
        assert (Connection.objects.count(), Credential.objects.count()) == (1, 1)

    def test_without_csrf_token_nothing_happens(self, customer, form, vendor):
        path = form.wsgi_request.path
        fields = {**only_form(form).fields, **GOOD}
        for sent, client in (
            ({**fields, "csrfmiddlewaretoken": "x" * 64}, customer),
            ({**GOOD, "provider": "books"}, customer),
            (fields, Customer()),
        ):
            answer = client.browser.post(path, sent)
            assert (answer.status_code, KEY.encode() in answer.content) == (403, False)
        assert (vendor.calls, Connection.objects.count()) == ([], 0)

    def test_values_in_the_address_are_neither_shown_nor_used(self, customer, form, vendor):
        page = customer.open(f"{form.wsgi_request.path}?company={COMPANY}&api_key={KEY}")
        assert inputs(page)["company"]["value"] == inputs(page)["api_key"]["value"] == ""
        page = customer.press(page, company="", api_key="")
        assert (page.status_code, KEY in (page["Location"] if page.has_header("Location") else "")) == (422, False)
        assert vendor.calls == []

    def test_what_was_typed_is_nowhere_but_under_seal(self, customer, form, vendor, caplog):
        caplog.set_level("DEBUG")
        pages = [
            customer.press(form, company="0112038-8", api_key=WRONG_KEY),
            customer.press(form, company=COMPANY, api_key=WRONG_KEY),
            customer.press(form, **GOOD),
        ]
        pages.append(customer.follow(pages[-1]))
        assert [page.status_code for page in pages] == [422, 422, 303, 200]
        for secret in (KEY, WRONG_KEY):
            assert not [page for page in pages if secret.encode() in page.content]
            assert not [page for page in pages if secret in str(page.headers)]
            assert secret not in caplog.text
            assert not [value for value in dump() if secret.encode() in value]
