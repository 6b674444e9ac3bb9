"""The eAccounting-like API."""

import uuid

from tests.sandbox.client import Client


def test_company_and_customers_with_a_good_token(client: Client) -> None:
    token = client.tokens()["access_token"]
    assert client.api(token).json()["CorporateIdentityNumber"] == "1234567-1"
    page = client.api(token, "/v2/customers").json()
    assert page["Meta"]["TotalNumberOfResults"] == len(page["Data"]) == 2


def test_an_invalid_token_is_told_in_header_and_in_the_vendors_body(client: Client) -> None:
    reply = client.api("never-issued")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    body = reply.json()
    assert set(body) == {"ErrorCode", "DeveloperErrorMessage", "ErrorId"}
    assert uuid.UUID(body["ErrorId"])


def test_without_a_token_the_challenge_names_no_error(client: Client) -> None:
    reply = client.http.get(f"{client.sandbox.url}/v2/companysettings")
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_missing_scope_is_403_with_4006(client: Client) -> None:
    token = client.tokens(scope="ea:api ea:purchase offline_access")["access_token"]
    reply = client.api(token, "/v2/customers")
    assert (reply.status_code, reply.json()["ErrorCode"]) == (403, 4006)
    assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]
    assert client.api(token).status_code == 200


def test_the_vendors_rate_limit_counts_by_client_and_endpoint(client: Client) -> None:
    client.sandbox.update_client(api_requests_per_minute=3)
    token = client.tokens()["access_token"]
    # Seven: the minute may turn once in between.
    replies = [client.api(token) for _ in range(7)]
    refused = next(one for one in replies if one.status_code == 429)
    assert refused.json()["ErrorCode"] == 4010
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert client.api(token, "/v2/customers").status_code == 200


def test_userinfo_needs_openid(client: Client) -> None:
    assert client.api(client.tokens()["access_token"], "/connect/userinfo").status_code == 403
    token = client.tokens(scope="ea:api openid email")["access_token"]
    claims = client.api(token, "/connect/userinfo").json()
    assert claims["email"] == "anna@acme.example"
    assert claims["sub"]
    assert "name" not in claims


def test_unknown_paths_are_404_and_logged(client: Client) -> None:
    assert client.http.get(f"{client.sandbox.url}/v2/nothing").status_code == 404
    assert client.sandbox.log()[-1]["reason"] == "/v2/nothing"
