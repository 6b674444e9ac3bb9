"""Rotation, reuse, and everything that ends a grant."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.sandbox import PASSWORD, USER
from tests.sandbox.client import Client, error_of

DEAD = (400, "invalid_grant")


def test_every_refresh_rotates(client: Client) -> None:
    first = client.tokens()
    second = client.refresh(first["refresh_token"]).json()
    third = client.refresh(second["refresh_token"]).json()
    tokens = [one["refresh_token"] for one in (first, second, third)]
    assert len(set(tokens)) == 3
    (grant,) = client.sandbox.grants()
    assert (grant["alive"], grant["rotations"], grant["refresh_token_current"]) == (True, 2, True)


def test_reuse_of_a_spent_token_kills_the_family(client: Client) -> None:
    first = client.tokens()
    second = client.refresh(first["refresh_token"]).json()
    assert error_of(client.refresh(first["refresh_token"])) == DEAD
    assert error_of(client.refresh(second["refresh_token"])) == DEAD
    assert client.api(second["access_token"]).status_code == 401
    (grant,) = client.sandbox.grants()
    assert (grant["alive"], grant["revoked_why"]) == (False, "reuse_detected")
    assert len(client.sandbox.log(decision="reuse_detected", grant=grant["id"])) == 1


def test_fifty_at_once_give_one_pair(client: Client) -> None:
    token = client.tokens()["refresh_token"]
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: client.refresh(token).status_code, range(50)))
    assert statuses.count(200) == 1


def test_within_the_grace_time_a_spent_token_still_works(client: Client) -> None:
    client.sandbox.update_client(grace_seconds=60)
    first = client.tokens()
    second = client.refresh(first["refresh_token"]).json()
    again = client.refresh(first["refresh_token"]).json()
    assert client.refresh(second["refresh_token"]).status_code == 200
    assert client.refresh(again["refresh_token"]).status_code == 200
    client.sandbox.update_client(grace_seconds=0)
    assert error_of(client.refresh(first["refresh_token"])) == DEAD


def test_without_rotation_the_token_stays_and_is_not_sent_again(client: Client) -> None:
    client.sandbox.update_client(rotation="none")
    token = client.tokens()["refresh_token"]
    for _ in range(2):
        renewed = client.refresh(token)
        assert renewed.status_code == 200
        assert "refresh_token" not in renewed.json()
    assert client.sandbox.grants()[0]["rotations"] == 0


def test_another_clients_refresh_token_is_refused_and_unharmed(client: Client) -> None:
    token = client.tokens()["refresh_token"]
    made = client.sandbox.create_client()
    other = Client(client.sandbox, client.http, made["client_id"], made["client_secret"])
    assert error_of(other.refresh(token)) == DEAD
    assert client.refresh(token).status_code == 200


def test_a_refresh_may_narrow_the_scope_for_once_but_not_widen_it(client: Client) -> None:
    narrowed = client.refresh(client.tokens()["refresh_token"], scope="ea:api").json()
    assert narrowed["scope"] == "ea:api"
    assert client.api(narrowed["access_token"], "/v2/customers").status_code == 403
    wider = client.refresh(narrowed["refresh_token"], scope="ea:api ea:sales")
    assert error_of(wider) == (400, "invalid_scope")
    assert "ea:sales_readonly" in client.refresh(narrowed["refresh_token"]).json()["scope"]


def test_tokens_expire_as_the_client_is_set_up(client: Client) -> None:
    client.sandbox.update_client(access_token_seconds=1, refresh_token_seconds=1)
    tokens = client.tokens()
    assert tokens["expires_in"] == 1
    # The refresh token was issued first, so it is dead once the access token is.
    _until_401(client, tokens["access_token"])
    assert error_of(client.refresh(tokens["refresh_token"])) == DEAD


def test_a_password_change_ends_every_grant_of_the_user_and_no_other(client: Client) -> None:
    tokens = client.tokens()
    client.sandbox.create_user("eve@delta.example")
    assert client.sandbox.change_password("eve@delta.example") == 0
    assert client.api(tokens["access_token"]).status_code == 200
    assert client.sandbox.change_password(USER, "new-password") == 1
    assert client.api(tokens["access_token"]).status_code == 401
    assert error_of(client.refresh(tokens["refresh_token"])) == DEAD
    assert client.sandbox.grants()[0]["revoked_why"] == "password_changed"


def test_after_a_password_change_only_the_new_one_signs_in(client: Client) -> None:
    client.tokens()
    client.sandbox.change_password(USER, "new-password")
    with pytest.raises(AssertionError, match="refused: 400"):
        client.authorize()
    client.sandbox.change_password(USER, PASSWORD)
    assert "code" in client.authorize()


def test_consent_is_withdrawn_for_one_grant(client: Client) -> None:
    first, second = client.tokens(), client.tokens()
    grant = client.sandbox.grants()[0]["id"]
    assert client.sandbox.withdraw(grant) is True
    assert error_of(client.refresh(first["refresh_token"])) == DEAD
    assert client.api(first["access_token"]).status_code == 401
    assert client.refresh(second["refresh_token"]).status_code == 200
    assert [one["revoked_why"] for one in client.sandbox.grants(alive="false")] == ["consent_withdrawn"]


def _until_401(client: Client, token: str) -> None:
    statuses = (client.api(token).status_code for _ in range(2000))
    assert 401 in statuses
