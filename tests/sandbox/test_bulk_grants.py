"""Grants in bulk are grants like any other: alive, rotating, each its own."""

import pytest

from tests.fakes.sandbox import CLIENT_ID, USER
from tests.sandbox.client import Client


def granted(client: Client, count: int, **changes: str) -> list[str]:
    asked = {"client_id": CLIENT_ID, "user": USER, "count": count, **changes}
    return client.sandbox.control("POST", "grants", asked)["refresh_tokens"]


def test_each_token_is_renewed_and_rotated(client: Client) -> None:
    tokens = granted(client, 3)
    assert len(set(tokens)) == 3
    answers = [client.refresh(token) for token in tokens]
    assert [one.status_code for one in answers] == [200] * 3
    assert client.api(answers[0].json()["access_token"]).status_code == 200
    grants = client.sandbox.grants(alive="true")
    assert [(one["rotations"], one["refresh_token_current"]) for one in grants] == [(1, True)] * 3


def test_reuse_ends_one_grant_alone(client: Client) -> None:
    spent, other = granted(client, 2)
    client.refresh(spent)
    assert client.refresh(spent).status_code == 400
    assert client.refresh(other).status_code == 200
    assert [one["revoked_why"] for one in client.sandbox.grants(alive="false")] == ["reuse_detected"]


@pytest.mark.parametrize(
    "changes", [{"client_id": "nobody"}, {"user": "nobody"}, {"count": 0}, {"count": 1_000_001}, {"scopes": "x"}]
)
def test_what_makes_no_sense_is_refused(client: Client, changes: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match=r"40[04]"):
        client.sandbox.control("POST", "grants", {"client_id": CLIENT_ID, "user": USER, "count": 1, **changes})
    assert client.sandbox.grants() == []
