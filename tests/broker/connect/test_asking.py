"""The page behind a connect link: what it says, and that opening it changes nothing."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone

from broker.services import directory, register
from providers.messages import Secret
from tenants.models import CallerMinute, ClientRegistration, ConnectSession
from tests import people
from tests.broker.connect.customer import only_form, text_of

SECOND_PROVIDER = """
id = "second"
display_name = "Second <b>Books</b>"
documentation = "https://docs.second.example"
verified_on = 2026-01-02
scopes_supported = [{ name = "read", description = "Read what nobody translated" }]
default_scopes = ["read"]
[environments.production]
issuer = "https://second.example"
authorization_endpoint = "https://login.second.example/authorize"
token_endpoint = "https://second.example/token"
api_base_url = "https://second.example/api"
"""


@pytest.fixture
def second(settled, settings, local_provider):
    """A second provider, and a registration of Aalto's at it."""
    with open(f"{settings.CATALOGUE_DIRECTORY}/second.toml", "w") as file:
        file.write(SECOND_PROVIDER)
    directory.registry.cache_clear()
    return register.register_client(
        "second", environment="production", client_id="c", client_secret=Secret("second-secret"), actor=people.STAFF
    )


def rows():
    # What earlier tests asked for is told to other processes once a second, whoever is at it.
    models = [model for model in apps.get_models() if model is not CallerMinute]
    return {model.__name__: model.objects.count() for model in models}


def test_the_page_names_who_asks_for_what_at_whom(customer, make_link):
    text = text_of(customer.open(make_link().url))
    for words in (
        "Aalto Oy asks for access to your company's data in Visma eAccounting (Spiris).",
        "Read sales: customers, invoices, orders, articles",
        "Stay connected when you are not signed in",
        "must be an administrator of the company",
        "Changing the password of that Visma user ends the connection",
        "Continue to Visma eAccounting (Spiris)",
    ):
        assert words in text


def test_only_the_scopes_of_the_registration_are_asked_for(customer, make_link, settled):
    ClientRegistration.objects.update(scopes=["ea:purchase_readonly"])
    text = text_of(customer.open(make_link().url))
    assert "Read purchases" in text
    assert "Read sales" not in text


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_a_link_has_no_side_effect(customer, make_link, method):
    link = make_link()
    before, session = rows(), ConnectSession.objects.values().get()
    for _ in range(50):
        answer = getattr(customer.browser, method)(
            f"/connect/{link.url.rpartition('/')[2]}", headers={"Sec-Purpose": "prefetch", "User-Agent": "preview"}
        )
        assert answer.status_code == 200
    assert rows() == before
    assert ConnectSession.objects.values().get() == session
    assert customer.start(link.url)


def test_a_repair_names_the_company_to_choose(customer, make_link, connect):
    connection = connect()
    text = text_of(customer.open(make_link(connection=connection).url))
    assert "Aalto Oy needs your permission again" in text
    assert "Choose the same company as before: Acme Oy" in text


def test_the_first_link_of_a_tenant_says_nothing_about_its_connections(customer, make_link, connect):
    connect()
    assert "Acme" not in text_of(customer.open(make_link().url))


def test_with_several_providers_the_customer_chooses(customer, make_link, second):
    link = make_link([people.PROVIDER, "second"])
    choice = customer.open(link.url)
    assert b"<form" not in choice.content
    assert b"<b>Books</b>" not in choice.content
    page = customer.open(f"{link.url}?provider=second")
    assert only_form(page).fields["provider"] == "second"
    assert "https://login.second.example" in page["Content-Security-Policy"]
    assert customer.press(page)["Location"].startswith("https://login.second.example/authorize?")


def test_a_provider_that_the_link_does_not_offer_is_refused_and_keeps_the_link(customer, make_link, second):
    link = make_link()
    assert customer.open(f"{link.url}?provider=second").status_code == 400
    page = customer.open(link.url)
    assert customer.press(page, provider="second").status_code == 400
    assert customer.press(page).status_code == 303


def test_choosing_nothing_among_several_keeps_the_link(customer, make_link, second):
    link = make_link([people.PROVIDER, "second"])
    page = customer.open(f"{link.url}?provider=second")
    assert customer.press(page, provider="").status_code == 400
    assert customer.press(page).status_code == 303


def test_a_provider_switched_off_since_is_not_offered(customer, make_link, second):
    link = make_link([people.PROVIDER, "second"])
    ClientRegistration.objects.filter(provider_id=people.PROVIDER).update(disabled_at=timezone.now())
    assert only_form(customer.open(link.url)).fields["provider"] == "second"
    ClientRegistration.objects.update(disabled_at=timezone.now())
    page = customer.open(link.url)
    assert (page.status_code, "provider_not_available" in text_of(page)) == (422, True)
    ClientRegistration.objects.update(disabled_at=None)
    assert customer.open(f"{link.url}?provider=second").status_code == 200


@pytest.mark.parametrize("token", ["x" * 43, "short", "%00" * 30, "%ff%fe" * 20, "ä" * 40, "x" * 5000])
def test_an_unknown_link_is_a_page_with_404(customer, settled, token):
    page = customer.open(f"/connect/{token}")
    assert page.status_code == 404
    assert "connect_link_invalid" in text_of(page)


@pytest.mark.parametrize("field", ["expires_at", "consumed_at"])
def test_a_link_that_is_over_is_a_page_with_410(customer, make_link, field):
    link = make_link()
    page = customer.open(link.url)
    ConnectSession.objects.update(**{field: timezone.now() - timedelta(seconds=1)})
    assert customer.open(link.url).status_code == 410
    answer = customer.press(page)
    assert (answer.status_code, "connect_link_expired" in text_of(answer)) == (410, True)


def test_the_link_that_was_used_here_leads_to_what_became_of_it(customer, make_link, settled):
    link = make_link()
    customer.start(link.url)
    again = customer.open(link.url)
    assert "You have not finished yet" in text_of(customer.follow(again))
    assert type(customer)().open(link.url).status_code == 410


def test_the_page_speaks_the_language_of_the_session(customer, make_link):
    page = customer.open(make_link(locale="fi").url)
    assert (page["Content-Language"], b'<html lang="fi">' in page.content) == ("fi", True)
    assert "Mihin annat oikeuden" in text_of(page)
    assert "Lukea myyntiä" in text_of(page)


def test_another_language_can_be_chosen_and_lasts_until_the_result(customer, make_link, local_provider):
    link = make_link(locale="fi")
    page = customer.open(f"{link.url}?lang=sv")
    assert "Fortsätt till" in text_of(page)
    assert customer.browser.cookies.keys() == {"demo-csrf"}
    assert "Jatka palveluun" in text_of(customer.open(link.url))
    started = customer.press(page)
    result = customer.browser.get(f"/connect/result/{flow_of(started)}")
    assert "Du är inte klar än" in text_of(result)


def flow_of(started):
    session = ConnectSession.objects.get()
    assert started.status_code == 303
    return session.requests.get().id


def test_a_language_nobody_speaks_is_ignored(customer, make_link):
    link = make_link(locale="nb")
    assert "Fortsett til" in text_of(customer.open(f"{link.url}?lang=xx%0d%0aSet-Cookie:a=b"))


def test_a_sentence_without_translation_is_marked_as_english(customer, make_link, second):
    page = customer.open(make_link(["second"], locale="da").url)
    assert b'<li lang="en">Read what nobody translated</li>' in page.content
