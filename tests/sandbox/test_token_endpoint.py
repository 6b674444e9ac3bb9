"""The token endpoint's reading of RFC 6749 and 7636."""

import base64
from urllib.parse import quote_plus, urlencode

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.fakes.sandbox import CLIENT_ID, CLIENT_SECRET
from tests.sandbox.client import SCOPE, VERIFIER, Client, error_of

FORM = "application/x-www-form-urlencoded"


def raw(client: Client, body: bytes | str, path: str = "/connect/token", **headers: str) -> httpx2.Response:
    """A request exactly as given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.http.post(f"{client.sandbox.url}{path}", content=body, headers=named)


def test_a_code_becomes_a_pair(client: Client) -> None:
    reply = client.redeem(client.authorize()["code"])
    members = reply.json()
    assert set(members) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (members["token_type"], members["expires_in"], members["scope"]) == ("Bearer", 3600, SCOPE)
    assert reply.headers["Cache-Control"] == "no-store"


def test_without_offline_access_there_is_no_refresh_token(client: Client) -> None:
    assert "refresh_token" not in client.tokens(scope="ea:api")


def test_openid_adds_an_id_token_signed_with_the_published_key(client: Client) -> None:
    token = client.tokens(scope=f"{SCOPE} openid", nonce="n-1")["id_token"]
    keys = client.http.get(f"{client.sandbox.url}/.well-known/openid-configuration/jwks").json()
    claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (client.sandbox.url, CLIENT_ID, "n-1")
    assert claims["exp"] > claims["iat"]
    assert "id_token" not in client.tokens()


def test_client_secret_post_works_and_form_decoding_of_basic_too(client: Client) -> None:
    token = client.tokens()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    reply = raw(client, urlencode({**form, "refresh_token": token}), Content_Type=FORM)
    assert reply.status_code == 200
    odd = client.sandbox.create_client(client_id="a b:c+ü", client_secret="x%41:+ &ö")
    basic = ":".join(quote_plus(odd[name]) for name in ("client_id", "client_secret"))
    header = "Basic " + base64.b64encode(basic.encode()).decode()
    accepted = raw(client, "grant_type=refresh_token&refresh_token=x", Content_Type=FORM, Authorization=header)
    assert error_of(accepted) == (400, "invalid_grant")


def test_basic_that_is_not_form_encoded_is_another_secret(client: Client) -> None:
    client.sandbox.create_client(client_id="plain", client_secret="a+b")
    header = "Basic " + base64.b64encode(b"plain:a+b").decode()
    reply = raw(client, "grant_type=refresh_token&refresh_token=x", Content_Type=FORM, Authorization=header)
    assert error_of(reply) == (401, "invalid_client")
    assert reply.headers["WWW-Authenticate"].startswith("Basic")


def test_both_authentication_methods_at_once_are_refused(client: Client) -> None:
    token = client.tokens()["refresh_token"]
    both = client.refresh(token, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    assert error_of(both) == (400, "invalid_request")
    assert client.refresh(token, client_id=CLIENT_ID).status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Bearer x", "Basic /////w=="])
def test_unreadable_client_authentication_is_invalid_client(client: Client, header: str) -> None:
    reply = raw(client, "grant_type=refresh_token&refresh_token=x", Content_Type=FORM, Authorization=header)
    assert error_of(reply) == (401, "invalid_client")


def test_a_wrong_posted_secret_is_invalid_client(client: Client) -> None:
    wrong = {"client_id": CLIENT_ID, "client_secret": "wrong", "grant_type": "refresh_token"}
    reply = raw(client, urlencode({**wrong, "refresh_token": "x"}), Content_Type=FORM)
    assert error_of(reply) == (400, "invalid_client")


def test_only_forms_are_read(client: Client) -> None:
    assert error_of(raw(client, '{"grant_type": "x"}', Content_Type="application/json")) == (
        400,
        "invalid_request",
    )


def test_parameters_do_not_belong_into_the_uri(client: Client) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    assert error_of(client.post("/connect/token?client_id=x", form)) == (400, "invalid_request")


def test_a_repeated_parameter_is_refused(client: Client) -> None:
    reply = raw(client, "grant_type=refresh_token&grant_type=refresh_token", Content_Type=FORM)
    assert error_of(reply) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": "y"}, "invalid_grant"),
    ],
)
def test_bad_requests_have_the_rfc_error(client: Client, form: dict[str, str], error: str) -> None:
    # An empty form would be sent without a content type.
    assert error_of(client.post("/connect/token", {"ignored": "1", **form})) == (400, error)


def test_only_post(client: Client) -> None:
    reply = client.http.get(f"{client.sandbox.url}/connect/token")
    assert (reply.status_code, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "change", [{"code_verifier": "x" * 43}, {"code_verifier": "short"}, {"redirect_uri": "http://x"}]
)
def test_a_code_is_bound_and_a_wrong_try_spends_it(client: Client, change: dict[str, str]) -> None:
    code = client.authorize()["code"]
    assert error_of(client.redeem(code, **change)) == (400, "invalid_grant")
    assert error_of(client.redeem(code)) == (400, "invalid_grant")
    assert client.sandbox.grants() == []


def test_a_code_expires(client: Client) -> None:
    assert client.sandbox.update_client()["code_seconds"] == 60
    client.sandbox.update_client(code_seconds=0)
    assert error_of(client.redeem(client.authorize()["code"])) == (400, "invalid_grant")
    assert client.sandbox.log()[-1]["reason"] == "the code has expired"


def test_the_verifier_cannot_be_left_out_or_added(client: Client) -> None:
    code = client.authorize()["code"]
    assert error_of(client.redeem(code, code_verifier="")) == (400, "invalid_grant")
    client.sandbox.update_client(require_pkce=False)
    code = client.authorize(code_challenge=None, code_challenge_method=None)["code"]
    assert error_of(client.redeem(code, code_verifier=VERIFIER)) == (400, "invalid_grant")


def test_a_code_of_another_client_is_refused_and_stays_good(client: Client) -> None:
    code = client.authorize()["code"]
    made = client.sandbox.create_client()
    other = Client(client.sandbox, client.http, made["client_id"], made["client_secret"])
    assert error_of(other.redeem(code)) == (400, "invalid_grant")
    assert client.redeem(code).status_code == 200


def test_a_second_redemption_revokes_what_the_first_gave(client: Client) -> None:
    code = client.authorize()["code"]
    tokens = client.redeem(code).json()
    assert error_of(client.redeem(code)) == (400, "invalid_grant")
    assert error_of(client.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert client.api(tokens["access_token"]).status_code == 401
    assert client.sandbox.grants()[0]["revoked_why"] == "code_reuse_detected"
