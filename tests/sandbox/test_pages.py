"""What a person (and somebody who attacks one) meets on the pages."""

from urllib.parse import urljoin

import httpx2

from tests.fakes.sandbox import PASSWORD, USER, USER_OF_TWO, Form, read_form, sign_in_and_consent
from tests.sandbox.client import Client, answer, browser


def follow(client: Client, reply: httpx2.Response) -> httpx2.Response:
    return client.http.get(urljoin(str(reply.url), reply.headers["Location"]))


def press(client: Client, page: httpx2.Response, **entered: str) -> httpx2.Response:
    form: Form = read_form(page)
    return client.http.post(urljoin(str(page.url), form.action), data={**form.fields, **entered})


def sign_in(client: Client, username: str = USER) -> httpx2.Response:
    """The page after signing in."""
    page = follow(client, client.http.get(client.url()))
    return follow(client, press(client, page, username=username, password=PASSWORD))


def test_a_wrong_password_shows_the_form_again_and_nothing_else(client: Client) -> None:
    page = follow(client, client.http.get(client.url(login_hint='"><script>')))
    assert "<script>" not in page.text
    again = press(client, page, username=USER, password="wrong")
    assert again.status_code == 400
    assert 'role="alert"' in again.text
    assert press(client, again, username=USER, password=PASSWORD).is_redirect


def test_every_field_has_a_label_and_the_page_calls_itself_a_sandbox(client: Client) -> None:
    page = follow(client, client.http.get(client.url()))
    visible = [one for one in read_form(page).inputs if one.get("type") != "hidden"]
    assert [one["name"] for one in visible] == ["username", "password"]
    assert all(f'<label for="{one["id"]}">' in page.text for one in visible)
    assert "sandbox" in page.text.lower()
    assert "<script" not in page.text


def test_the_consent_page_lists_what_is_asked(client: Client) -> None:
    page = sign_in(client)
    assert all(scope in page.text for scope in ("ea:api", "ea:sales_readonly", "offline_access"))
    assert "Acme Oy" in page.text
    assert "ea:purchase" not in page.text


def test_one_of_several_companies_is_chosen(client: Client) -> None:
    companies = {one["name"]: one["id"] for one in _companies(client, USER_OF_TWO)}
    back = sign_in_and_consent(client.http, client.url(), username=USER_OF_TWO, company=companies["Cedar Cafe Oy"])
    tokens = client.redeem(answer(back)["code"]).json()
    assert client.api(tokens["access_token"]).json()["Name"] == "Cedar Cafe Oy"
    assert client.sandbox.grants()[0]["company"] == "Cedar Cafe Oy"


def test_the_company_of_somebody_else_cannot_be_chosen(client: Client) -> None:
    page = sign_in(client, USER_OF_TWO)
    (foreign,) = _companies(client, USER)
    assert press(client, page, company=foreign["id"]).status_code == 400


def test_a_form_without_its_token_is_refused(client: Client) -> None:
    page = sign_in(client)
    assert press(client, page, csrf="forged", decision="allow").status_code == 403
    assert press(client, page, decision="allow").is_redirect


def test_another_browser_cannot_go_on_with_the_walk(client: Client) -> None:
    page = sign_in(client)
    with browser() as other:
        assert other.get(str(page.url)).status_code == 403


def test_consent_is_answered_once(client: Client) -> None:
    page = sign_in(client)
    assert press(client, page, decision="allow").is_redirect
    assert press(client, page, decision="allow").status_code == 410


def test_prompt_decides_whether_a_signed_in_person_signs_in_again(client: Client) -> None:
    sign_in(client)
    assert "/account/consent/" in client.http.get(client.url()).headers["Location"]
    for prompt in ("login", "select_account"):
        assert "/account/sign-in/" in client.http.get(client.url(prompt=prompt)).headers["Location"]


def test_pages_may_not_be_framed_or_kept(client: Client) -> None:
    page = follow(client, client.http.get(client.url()))
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


def _companies(client: Client, username: str) -> list[dict[str, str]]:
    users = client.sandbox.control("GET", "users")["users"]
    return next(user["companies"] for user in users if user["username"] == username)
