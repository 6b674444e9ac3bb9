"""The authorization endpoint's own reading of RFC 6749, 7636, 9207 and the vendor's pages."""

import pytest

from tests.fakes.sandbox import REDIRECT_URI, sign_in_and_consent, walk_pages
from tests.sandbox.client import CHALLENGE, Client, answer


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": REDIRECT_URI + "/"},
        {"redirect_uri": REDIRECT_URI + "?next=1"},
        {"redirect_uri": REDIRECT_URI.upper()},
        {"redirect_uri": "https://attacker.example/cb"},
    ],
)
def test_nobody_is_redirected_while_client_or_uri_are_in_doubt(client: Client, changes: dict) -> None:
    reply = client.http.get(client.url(**changes))
    assert reply.status_code == 400
    assert "Location" not in reply.headers
    assert "sandbox" in reply.text


def test_a_repeated_redirect_uri_is_an_error_page(client: Client) -> None:
    reply = client.http.get(client.url(("redirect_uri", REDIRECT_URI)))
    assert (reply.status_code, reply.is_redirect) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request_uri": "urn:x"}, "request_uri_not_supported"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "ea:sales_readonly offline_access"}, "invalid_scope"),
        ({"scope": "ea:api ea:everything"}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"acr_values": "service:00000000-0000-0000-0000-000000000000"}, "invalid_request"),
    ],
)
def test_refusals_go_back_to_the_client_with_its_state(client: Client, changes: dict, error: str) -> None:
    refusal = client.refused(**changes)
    assert (refusal["error"], refusal["state"]) == (error, "s-1")
    assert "code" not in refusal


def test_a_repeated_parameter_is_refused(client: Client) -> None:
    assert client.refused(("scope", "ea:api"))["error"] == "invalid_request"


def test_a_client_may_be_limited_to_some_scopes(client: Client) -> None:
    client.sandbox.update_client(scopes=["ea:api", "offline_access"])
    assert client.refused()["error"] == "invalid_scope"


@pytest.mark.parametrize("service", ["44643EB1-3F76-4C1C-A672-402AE8085934", "44643eb1-3f76-4c1c-a672-402ae8085934"])
def test_the_eaccounting_service_is_accepted(client: Client, service: str) -> None:
    assert "code" in client.authorize(acr_values=f"service:{service} urn:other", prompt="select_account")


def test_state_comes_back_unchanged_and_is_not_invented(client: Client) -> None:
    odd = "ä&=%+ /?#\"<'"
    assert client.authorize(state=odd)["state"] == odd
    assert "state" not in client.authorize(state=None)


def test_the_query_of_the_redirect_uri_is_kept(client: Client) -> None:
    uri = REDIRECT_URI + "?keep=1"
    client.sandbox.allow_redirect_uri(uri)
    response = client.authorize(redirect_uri=uri)
    assert response["keep"] == "1"
    assert "code" in response


@pytest.mark.parametrize(("mode", "issuer"), [("omit", None), ("send", "own"), ("forge", "forged")])
def test_iss_is_sent_as_the_client_is_set_up(client: Client, mode: str, issuer: str | None) -> None:
    client.sandbox.update_client(response_iss=mode)
    expected = {"own": client.sandbox.url, "forged": "https://another-issuer.example"}
    assert client.authorize().get("iss") == expected.get(issuer or "")
    assert client.refused(scope="ea:nothing").get("iss") == expected.get(issuer or "")


def test_metadata_says_what_the_server_does(client: Client) -> None:
    document = client.http.get(f"{client.sandbox.url}/.well-known/openid-configuration").json()
    assert document["issuer"] == client.sandbox.url
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint"] == f"{client.sandbox.url}/connect/token"
    assert document["authorization_response_iss_parameter_supported"] is False
    assert {"ea:api", "offline_access"} <= set(document["scopes_supported"])


def test_deny_is_access_denied(client: Client) -> None:
    refusal = answer(sign_in_and_consent(client.http, client.url(), allow=False))
    assert (refusal["error"], refusal["state"]) == ("access_denied", "s-1")
    assert "code" not in refusal
    assert client.sandbox.grants() == []


def test_a_client_may_be_set_up_to_have_answers_posted(client: Client) -> None:
    client.sandbox.update_client(response_modes=["form_post"])
    uri, posted = walk_pages(client.http, client.url(response_mode="form_post"))
    assert (uri, posted["state"]) == (REDIRECT_URI, "s-1")
    assert client.redeem(posted["code"]).status_code == 200
    _, refusal = walk_pages(client.http, client.url())
    assert refusal["error"] == "invalid_request"
    with pytest.raises(RuntimeError, match="400"):
        client.sandbox.update_client(response_modes=["pigeon"])
