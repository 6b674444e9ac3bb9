"""Scripted faults, each seen from the outside."""

import time

import httpx2
import pytest

from tests.sandbox.client import Client, error_of


@pytest.fixture
def token(client: Client) -> str:
    """A refresh token that has not been used."""
    return client.tokens()["refresh_token"]


def rotations(client: Client) -> int:
    return client.sandbox.grants()[0]["rotations"]


def test_a_drop_before_processing_changes_nothing(client: Client, token: str) -> None:
    client.sandbox.fault("token", "drop_before")
    with pytest.raises(httpx2.TransportError):
        client.refresh(token)
    assert rotations(client) == 0
    assert client.refresh(token).status_code == 200


def test_a_drop_after_processing_has_rotated(client: Client, token: str) -> None:
    client.sandbox.fault("token", "drop_after")
    with pytest.raises(httpx2.TransportError):
        client.refresh(token)
    assert rotations(client) == 1
    entry = client.sandbox.log(endpoint="token")[-1]
    assert (entry["decision"], entry["fault"], entry["status"]) == ("rotated", "drop_after", 0)
    assert error_of(client.refresh(token)) == (400, "invalid_grant")


def test_a_stall_outlasts_the_clients_patience_yet_takes_effect(client: Client, token: str) -> None:
    client.sandbox.fault("token", "stall", seconds=0.4)
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/connect/token", {"grant_type": "refresh_token", "refresh_token": token}, timeout=0.1)
    client.sandbox.wait_for_log(1, endpoint="token", decision="rotated")
    assert rotations(client) == 1


def test_a_stall_after_processing_has_rotated_already(client: Client, token: str) -> None:
    client.sandbox.fault("token", "stall", seconds=30, after=True)
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/connect/token", {"grant_type": "refresh_token", "refresh_token": token}, timeout=0.3)
    assert rotations(client) == 1


@pytest.mark.parametrize("status", [200, 503])
def test_html_instead_of_json(client: Client, token: str, status: int) -> None:
    client.sandbox.fault("token", "html", status=status)
    reply = client.refresh(token)
    assert (reply.status_code, reply.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert rotations(client) == 0


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_errors(client: Client, token: str, status: int) -> None:
    client.sandbox.fault("token", "status", status=status)
    assert client.refresh(token).status_code == status
    assert client.refresh(token).status_code == 200


def test_a_gateway_error_after_the_rotation(client: Client, token: str) -> None:
    client.sandbox.fault("token", "status", status=502, after=True)
    assert client.refresh(token).status_code == 502
    assert rotations(client) == 1


def test_429_at_the_token_endpoint_and_at_the_api(client: Client) -> None:
    tokens = client.tokens()
    client.sandbox.fault("token", "rate_limited", retry_after=7)
    refused = client.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    client.sandbox.fault("api", "rate_limited", retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    refused = client.api(tokens["access_token"])
    assert (refused.status_code, refused.json()["ErrorCode"]) == (429, 4010)
    assert refused.headers["Retry-After"].startswith("Wed")


def test_oauth_errors_of_choice(client: Client, token: str) -> None:
    client.sandbox.fault("token", "invalid_client")
    client.sandbox.fault("token", "error", error="temporarily_unavailable", status=503)
    client.sandbox.fault("token", "error", error="unauthorized_client")
    assert error_of(client.refresh(token)) == (401, "invalid_client")
    assert error_of(client.refresh(token)) == (503, "temporarily_unavailable")
    assert error_of(client.refresh(token)) == (400, "unauthorized_client")
    assert client.refresh(token).status_code == 200


def test_a_body_cut_in_half(client: Client, token: str) -> None:
    client.sandbox.fault("token", "cut_body")
    with pytest.raises(httpx2.RemoteProtocolError):
        client.refresh(token)
    assert rotations(client) == 1


def test_a_slow_body_arrives_whole(client: Client, token: str) -> None:
    client.sandbox.fault("token", "slow_body", seconds=0.5)
    before = time.monotonic()
    assert client.refresh(token).json()["refresh_token"]
    assert time.monotonic() - before >= 0.4


def test_an_omitted_refresh_token_means_the_old_one_stays(client: Client, token: str) -> None:
    client.sandbox.fault("token", "omit_refresh_token")
    assert "refresh_token" not in client.refresh(token).json()
    assert rotations(client) == 0
    assert client.refresh(token).status_code == 200


def test_expires_in_left_out_and_members_replaced(client: Client, token: str) -> None:
    client.sandbox.fault("token", "omit_expires_in")
    client.sandbox.fault("token", "replace", fields={"expires_in": "3600", "token_type": "mac"})
    first = client.refresh(token).json()
    assert "expires_in" not in first
    second = client.refresh(first["refresh_token"]).json()
    assert (second["expires_in"], second["token_type"]) == ("3600", "mac")


def test_a_narrowed_scope_is_a_narrowed_token(client: Client, token: str) -> None:
    client.sandbox.fault("token", "narrow_scope", scope="ea:api offline_access")
    tokens = client.refresh(token).json()
    assert tokens["scope"] == "ea:api offline_access"
    assert client.api(tokens["access_token"], "/v2/customers").status_code == 403


def test_faults_wait_for_their_endpoint_and_client_and_run_out(client: Client, token: str) -> None:
    client.sandbox.fault("token", "status", times=2)
    client.sandbox.fault("token", "status", client_id="somebody-else")
    client.sandbox.fault("token", "status", probability=0.0, times=None)
    client.sandbox.fault("revocation", "status")
    assert [client.refresh(token).status_code for _ in range(3)] == [500, 500, 200]
    state = client.sandbox.control("GET", "faults")
    assert (len(state["faults"]), state["fired"]) == (3, 2)
    client.sandbox.clear_faults()
    assert client.revoke("x").status_code == 200


def test_a_page_can_fail_too(client: Client) -> None:
    client.sandbox.fault("authorize", "html", status=503)
    assert client.http.get(client.url()).status_code == 503
