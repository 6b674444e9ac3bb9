"""RFC 7009 as the sandbox reads it."""

import pytest

from tests.sandbox.client import Client, error_of


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "nonsense"])
def test_revoking_the_refresh_token_ends_the_grant_whatever_the_hint(client: Client, hint: str) -> None:
    tokens = client.tokens()
    assert client.revoke(tokens["refresh_token"], token_type_hint=hint).status_code == 200
    assert error_of(client.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert client.api(tokens["access_token"]).status_code == 401
    (grant,) = client.sandbox.grants()
    assert (grant["alive"], grant["revoked_why"]) == (False, "revoked_by_client")


def test_revoking_an_access_token_leaves_the_grant(client: Client) -> None:
    tokens = client.tokens()
    assert client.revoke(tokens["access_token"]).status_code == 200
    assert client.api(tokens["access_token"]).status_code == 401
    assert client.refresh(tokens["refresh_token"]).status_code == 200


def test_unknown_tokens_are_fine(client: Client) -> None:
    assert client.revoke("never-issued").status_code == 200
    assert client.sandbox.log(endpoint="revocation")[-1]["decision"] == "unknown_token"


def test_another_client_cannot_revoke(client: Client) -> None:
    tokens = client.tokens()
    made = client.sandbox.create_client()
    other = Client(client.sandbox, client.http, made["client_id"], made["client_secret"])
    assert error_of(other.revoke(tokens["refresh_token"])) == (400, "invalid_grant")
    other.client_secret = "wrong"
    assert error_of(other.revoke(tokens["refresh_token"])) == (401, "invalid_client")
    assert client.api(tokens["access_token"]).status_code == 200


def test_a_token_is_needed(client: Client) -> None:
    assert error_of(client.post("/connect/revocation", {"ignored": "1"})) == (400, "invalid_request")
