"""What the customer reads at the end, and the way on from there."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.utils import timezone

from broker.connect.outcomes import OUTCOMES, Turn
from broker.services import parked
from tenants.models import AuthorizationRequest, Connection, ConnectSession, Credential, Reason, State
from tests import people
from tests.broker.connect.customer import Customer, at_provider, text_of
from tests.fakes.sandbox import USER_OF_TWO

REFUSED = {"allow": False}
CALLBACK = "/cb/visma-eaccounting"


def test_success_names_the_company_and_offers_no_retry(customer, make_link):
    page = customer.connect(make_link().url)
    assert "Connected company: Acme Oy" in text_of(page)
    assert b"<form" not in page.content


def test_saying_no_changes_nothing_and_can_be_tried_again(customer, make_link, local_provider):
    page = customer.connect(make_link().url, **REFUSED)
    text = text_of(page)
    assert "You did not approve the access" in text
    assert f"access_denied {ConnectSession.objects.get().id}" in text
    assert not Connection.objects.exists()
    assert local_provider.url in page["Content-Security-Policy"]
    again = customer.press(page)
    assert again.status_code == 303
    result = customer.follow(customer.open(at_provider(again["Location"])))
    assert "is now connected" in text_of(result)
    assert Connection.objects.get().state == "connected"


def test_trying_again_needs_the_csrf_token_and_the_same_browser(customer, make_link):
    page = customer.connect(make_link().url, **REFUSED)
    path = page.wsgi_request.path.replace("result", "retry")
    assert customer.browser.post(path).status_code == 403
    assert customer.browser.get(path).status_code == 405
    stranger = Customer()
    form = customer.open(page.wsgi_request.path)
    stranger.browser.cookies["demo-csrf"] = customer.browser.cookies["demo-csrf"].value
    assert stranger.press(form).status_code == 400
    assert AuthorizationRequest.objects.count() == 1


def test_another_browser_does_not_see_the_result(customer, make_link):
    page = customer.connect(make_link().url)
    answer = Customer().open(page.wsgi_request.path)
    assert answer.status_code == 400
    assert "Acme" not in text_of(answer)


@pytest.mark.parametrize(
    "description", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "Call 0800-EVIL now"]
)
def test_what_the_provider_writes_is_not_shown(customer, make_link, description):
    back = at_provider(customer.start(make_link().url), **REFUSED)
    page = customer.follow(customer.browser.get(CALLBACK, {**_query(back), "error_description": description}))
    assert "You did not approve the access" in text_of(page)
    assert description.encode() not in page.content
    assert b"alert" not in page.content
    assert b"EVIL" not in page.content


@pytest.mark.parametrize("error", ["evil.example/now", "<script>alert(1)</script>", "Call.0800-EVIL", "a" * 300])
def test_an_unknown_error_code_is_not_shown_either(customer, make_link, error):
    back = at_provider(customer.start(make_link().url), **REFUSED)
    page = customer.follow(customer.browser.get(CALLBACK, {**_query(back), "error": error}))
    assert error.encode() not in page.content
    assert b"EVIL" not in page.content


def _query(url):
    return dict(parse_qsl(urlsplit(url).query))


def test_another_company_leaves_the_old_connection_as_it_was(customer, make_link, connect, local_provider):
    connection = connect()
    before = Credential.objects.values().get()
    page = customer.connect(make_link(connection=connection).url, username=USER_OF_TWO)
    text = text_of(page)
    assert "That was another company" in text
    assert "You signed in as Birch Books Oy, but this connection belongs to Acme Oy." in text
    assert "Try again and choose Acme Oy." in text
    assert "tell Aalto Oy the code below" in text
    assert Credential.objects.values().get() == before
    again = customer.press(page)
    assert "is now connected" in text_of(customer.follow(customer.open(at_provider(again["Location"]))))
    assert Connection.objects.get().id == connection.id


def test_once_turned_away_the_page_promises_nothing_any_more(customer, make_link, connect):
    connection = connect()
    page = customer.connect(make_link(connection=connection).url, username=USER_OF_TWO)
    parked.turn_away(connection, actor=people.STAFF)
    text = text_of(customer.open(page.wsgi_request.path))
    assert "choose this company: Acme Oy" in text
    assert "Birch" not in text


def test_once_taken_the_page_says_connected(customer, make_link, connect):
    connection = connect()
    page = customer.connect(make_link(connection=connection).url, username=USER_OF_TWO)
    parked.take(connection, actor=people.STAFF)
    assert "Connected company: Birch Books Oy" in text_of(customer.open(page.wsgi_request.path))


def test_rights_that_were_not_granted_are_named(customer, make_link, local_provider):
    local_provider.fault("token", "narrow_scope", scope="ea:api offline_access ea:sales_readonly")
    text = text_of(customer.connect(make_link().url))
    assert "These permissions were not granted" in text
    assert "Read bookkeeping: accounts, vouchers, fiscal years" in text
    assert "Read sales" not in text


def test_a_company_that_is_not_verified_yet_is_told_of(customer, make_link):
    page = customer.connect(make_link().url)
    assert "has not verified" not in text_of(page)
    Connection.objects.update(state=State.DEGRADED, reason=Reason.ACCOUNT_UNVERIFIED)
    text = text_of(customer.open(page.wsgi_request.path))
    assert "is now connected to Aalto Oy." in text
    assert "Visma eAccounting (Spiris) has not verified your company yet." in text


@pytest.mark.parametrize(
    ("fault", "title", "retry"),
    [
        ({"kind": "status", "status": 503}, "Visma eAccounting (Spiris) does not answer right now", True),
        ({"kind": "html"}, "Visma eAccounting (Spiris) does not answer right now", True),
        ({"kind": "error", "error": "invalid_grant", "status": 400}, "The approval was no longer valid", True),
        ({"kind": "invalid_client"}, "Something is not set up correctly", False),
    ],
)
def test_a_failed_exchange_is_explained(customer, make_link, local_provider, fault, title, retry):
    local_provider.fault("token", **fault)
    page = customer.connect(make_link().url)
    assert title in text_of(page)
    assert (b"<form" in page.content) is retry
    assert ("Tell Aalto Oy the code below." in text_of(page)) is not retry


@pytest.mark.parametrize(
    "code", sorted(set(OUTCOMES) - {"connected", "working", "unfinished", "expired", "interrupted"})
)
def test_every_outcome_has_its_words(customer, make_link, code):
    page = customer.connect(make_link().url, **REFUSED)
    AuthorizationRequest.objects.update(outcome=code)
    ConnectSession.objects.update(outcome=code)
    shown = customer.open(page.wsgi_request.path)
    text = text_of(shown)
    assert str(OUTCOMES[code].title).replace("%(provider)s", "Visma eAccounting (Spiris)") in text
    assert "%(" not in text
    assert code in text
    assert (b"<form" in shown.content) is (OUTCOMES[code].turn is Turn.CUSTOMER)


def test_while_the_exchange_runs_the_page_waits_and_goes_on(customer, make_link):
    customer.start(make_link().url)
    flow = AuthorizationRequest.objects.get()
    address = f"/connect/result/{flow.id}"
    assert "You have not finished yet" in text_of(customer.open(address))
    AuthorizationRequest.objects.update(status="consumed")
    page = customer.open(address)
    assert "One moment, please" in text_of(page)
    assert b'http-equiv="refresh"' in page.content
    assert b"aalto.example" not in page.content
    AuthorizationRequest.objects.update(expires_at=timezone.now())
    page = customer.open(address)
    assert "The connection was interrupted" in text_of(page)
    assert b'http-equiv="refresh"' not in page.content


def test_when_the_link_is_over_the_customer_is_told_to_ask_for_another(customer, make_link):
    page = customer.connect(make_link().url, **REFUSED)
    ConnectSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    later = customer.open(page.wsgi_request.path)
    assert "Ask Aalto Oy for a new link." in text_of(later)
    assert b"<form" not in later.content
    assert customer.press(page).status_code == 410


def test_a_success_in_the_same_session_is_what_every_tab_shows(customer, make_link):
    first = customer.start(make_link().url)
    unfinished = customer.open(f"/connect/result/{AuthorizationRequest.objects.get().id}")
    second = customer.press(unfinished)["Location"]
    customer.open(at_provider(second))
    assert "is now connected" in text_of(customer.open(unfinished.wsgi_request.path))
    assert first != second


def test_a_registration_switched_off_since_offers_no_retry(customer, make_link, settled):
    page = customer.connect(make_link().url, **REFUSED)
    type(settled.registration).objects.update(disabled_at=timezone.now())
    later = customer.open(page.wsgi_request.path)
    assert (later.status_code, b"<form" in later.content) == (200, False)


def test_the_names_on_the_page_are_text_and_not_markup(customer, make_link, settled):
    settled.aalto.name = "<i>Aalto</i> & %(tenant)s {{ x }}"
    settled.aalto.save()
    link = make_link()
    for page in (customer.open(link.url), customer.connect(link.url)):
        assert b"<i>" not in page.content
        assert "<i>Aalto</i> & %(tenant)s {{ x }}" in text_of(page)
    assert people.RETURN_URL.encode() in page.content
