"""Visma Connect's pages and authorization endpoint as the sandbox reads the documents."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest

from tests.fakes.sandbox import REDIRECT_URI, SandboxProcess, read_form, walk_pages
from tests.sandbox.client import CHALLENGE, Client, browser
from tests.sandbox.connect import ACME, BIRCH, PASSWORD, SCOPE, SERVICE, USER, Connect, claims_of


@pytest.fixture
def connect(sandbox: SandboxProcess) -> Iterator[Connect]:
    with browser() as http:
        yield Connect(sandbox, http).settle()


@pytest.mark.parametrize(
    "path",
    [
        "/visma-connect/.well-known/openid-configuration",
        "/visma-connect/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/visma-connect",
    ],
)
def test_metadata_names_an_issuer_with_a_path(connect: Connect, path: str) -> None:
    document = connect.http.get(connect.sandbox.url + path).json()
    issuer = f"{connect.sandbox.url}/visma-connect"
    assert (document["issuer"], document["token_endpoint"]) == (issuer, f"{issuer}/connect/token")
    assert document["authorization_response_iss_parameter_supported"] is True
    assert "client_credentials" in document["grant_types_supported"]
    assert connect.http.get(document["jwks_uri"]).json()["keys"][0]["alg"] == "RS256"


def test_the_answer_is_a_form_that_sends_itself_and_has_a_button(connect: Connect) -> None:
    person = {"username": USER, "password": PASSWORD, "company": BIRCH}
    uri, fields = walk_pages(connect.http, connect.url(state="ä&\"'<>"), **person)
    assert uri == REDIRECT_URI
    assert set(fields) == {"code", "state", "iss"}
    assert (fields["state"], fields["iss"]) == ("ä&\"'<>", f"{connect.sandbox.url}/visma-connect")
    assert claims_of(connect.redeem(fields["code"]).json()["access_token"])["tenant_id"] == BIRCH


def test_the_posting_page_allows_its_own_script_only(connect: Connect) -> None:
    page = connect.http.get(connect.url(scope="unheard:of"))
    nonce = page.text.partition('<script nonce="')[2].partition('"')[0]
    assert nonce
    assert f"script-src 'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
    assert '<button type="submit">Continue</button>' in page.text
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": None}, "invalid_request"),
        ({"response_mode": "query"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "unheard:of"}, "invalid_scope"),
        ({"scope": "vismanet_erp_interactive_api"}, "invalid_scope"),
        ({"scope": "vismanet_erp_service_api:read"}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
def test_refusals_are_posted_back_with_state_and_issuer(
    connect: Connect, changes: dict[str, str | None], error: str
) -> None:
    uri, fields = walk_pages(connect.http, connect.url(**changes))
    assert (uri, fields["error"], fields["state"]) == (REDIRECT_URI, error, "s-1")
    assert fields["iss"] == f"{connect.sandbox.url}/visma-connect"


@pytest.mark.parametrize(
    "changes", [{"client_id": "nobody"}, {"redirect_uri": REDIRECT_URI + "/"}, {"redirect_uri": None}]
)
def test_nothing_is_posted_while_client_or_uri_are_in_doubt(connect: Connect, changes: dict[str, str | None]) -> None:
    reply = connect.http.get(connect.url(**changes))
    assert (reply.status_code, "<form" in reply.text) == (400, False)


def test_a_service_application_signs_nobody_in(connect: Connect) -> None:
    connect.system.change("apps", SERVICE, redirect_uris=[REDIRECT_URI])
    _, fields = walk_pages(connect.http, connect.url(client_id=SERVICE))
    assert fields["error"] == "unauthorized_client"


def test_an_application_may_be_set_up_for_other_modes(connect: Connect) -> None:
    connect.system.change("apps", connect.client_id, response_modes=["query", "fragment"])
    person = {"username": USER, "password": PASSWORD}
    by_query, _ = walk_pages(connect.http, connect.url(response_mode=None), **person)
    by_fragment, _ = walk_pages(connect.http, connect.url(response_mode="fragment"), **person)
    assert "code" in dict(parse_qsl(urlsplit(by_query).query))
    assert "code" in dict(parse_qsl(urlsplit(by_fragment).fragment))


@pytest.mark.parametrize("switched", [{"refresh": "off"}, {"scopes": ["dineropublicapi:read"]}, {"scopes": []}])
def test_an_application_gets_what_its_registration_has(connect: Connect, switched: dict[str, object]) -> None:
    connect.system.change("apps", connect.client_id, **switched)
    _, fields = walk_pages(connect.http, connect.url())
    assert fields["error"] == "invalid_scope"


def test_a_registration_can_have_scopes_of_a_product_unknown_here(connect: Connect) -> None:
    connect.system.change("apps", connect.client_id, scopes=["acubiz-api:read"])
    tokens = connect.tokens(scope="acubiz-api:read offline_access")
    assert tokens["scope"] == "acubiz-api:read offline_access"


def test_deny_is_access_denied(connect: Connect) -> None:
    assert connect.authorize(allow=False)["error"] == "access_denied"
    assert connect.sandbox.grants() == []


@pytest.mark.parametrize(("mode", "issuer"), [("omit", None), ("forge", "https://another-issuer.example")])
def test_iss_can_be_left_out_or_forged(connect: Connect, mode: str, issuer: str | None) -> None:
    connect.system.change("apps", connect.client_id, response_iss=mode)
    assert connect.authorize().get("iss") == issuer


def test_prompt_decides_whether_a_signed_in_person_signs_in_again(connect: Connect) -> None:
    connect.authorize()
    assert "/account/company/" in connect.http.get(connect.url(prompt=None)).headers["Location"]
    for prompt in ("login", "select_account"):
        assert "/account/sign-in/" in connect.http.get(connect.url(prompt=prompt)).headers["Location"]
    _, fields = walk_pages(connect.http, connect.url(prompt="none"))
    assert fields["error"] == "interaction_required"


def test_the_sites_share_neither_people_nor_walks(connect: Connect) -> None:
    connect.authorize()
    eaccounting = Client(connect.sandbox, connect.http)
    begun = connect.http.get(eaccounting.url()).headers["Location"]
    assert "/account/sign-in/" in begun
    elsewhere = connect.http.get(f"{connect.sandbox.url}/visma-connect{begun}")
    assert elsewhere.status_code == 403
    page = connect.http.get(urljoin(eaccounting.url(), begun))
    form = read_form(page)
    entered = {**form.fields, "username": USER, "password": PASSWORD}
    assert connect.http.post(urljoin(str(page.url), form.action), data=entered).status_code == 400


def test_a_person_without_tenants_has_nothing_to_choose(connect: Connect) -> None:
    connect.system.change("users", USER, tenants=["no-such-tenant"])
    page = connect.http.get(connect.url())
    form = read_form(connect.http.get(urljoin(connect.url(), page.headers["Location"])))
    entered = {**form.fields, "username": USER, "password": PASSWORD}
    walked = connect.http.post(urljoin(connect.url(), form.action), data=entered, follow_redirects=True)
    assert "You have no tenant with Visma Connect." in walked.text


def test_userinfo_says_who_and_which_tenants(connect: Connect) -> None:
    tokens = connect.tokens()
    told = connect.api(tokens["access_token"], "/visma-connect/connect/userinfo").json()
    assert told == {"sub": USER, "email": USER, "tenants": [ACME, BIRCH]}
    bare = connect.tokens(scope=SCOPE.replace("openid email tenants ", ""))
    assert connect.api(bare["access_token"], "/visma-connect/connect/userinfo").status_code == 403
    assert connect.api("nonsense", "/visma-connect/connect/userinfo").status_code == 401
