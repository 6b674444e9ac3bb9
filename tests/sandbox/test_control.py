"""The control API: what it refuses, and that a reset is one."""

import pytest

from tests.fakes.sandbox import REDIRECT_URI, USER, SandboxProcess, plain_client
from tests.sandbox.client import Client


def status_of(sandbox: SandboxProcess, method: str, path: str, content: str = "", **headers: str) -> int:
    url = f"{sandbox.url}/_sandbox/{path}"
    with plain_client() as http:
        return http.request(method, url, content=content, headers=headers).status_code


def test_a_reset_brings_back_the_seed(client: Client) -> None:
    client.tokens()
    client.sandbox.create_client(client_id="another")
    client.sandbox.change_password(USER, "changed")
    client.sandbox.update_client(redirect_uris=[])
    client.sandbox.fault("*", "status", times=None)
    client.sandbox.set_latency(token=5)
    client.sandbox.reset()
    assert client.sandbox.grants() == []
    assert client.sandbox.log() == []
    assert client.sandbox.control("GET", "latency") == {}
    (seeded,) = client.sandbox.control("GET", "clients")["clients"]
    assert seeded["redirect_uris"] == [REDIRECT_URI]
    assert client.tokens()


def test_web_pages_and_other_names_are_refused(sandbox: SandboxProcess) -> None:
    assert status_of(sandbox, "POST", "reset", Origin="https://attacker.example") == 403
    assert status_of(sandbox, "GET", "log", Host="rebound.example") == 403
    assert status_of(sandbox, "GET", "log") == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "faults", "", 400),
        ("POST", "faults", "[]", 400),
        ("POST", "faults", '{"endpoint": "token", "kind": "earthquake"}', 400),
        ("POST", "faults", '{"endpoint": "token", "kind": "stall", "secnds": 1}', 400),
        ("POST", "faults", '{"endpoint": "token", "kind": "stall", "times": 0}', 400),
        ("PUT", "latency", '{"token": -1}', 400),
        ("POST", "clients", '{"redirect_uris": ["/relative"]}', 400),
        ("POST", "clients", '{"redirect_uris": ["https://a.example/cb#x"]}', 400),
        ("POST", "clients", '{"client_id": 5}', 400),
        ("POST", "clients", '{"client_id": "sandbox-client"}', 409),
        ("PATCH", "clients/sandbox-client", '{"rotation": "sometimes"}', 400),
        ("PATCH", "clients/nobody", "{}", 404),
        ("POST", "users", '{"username": "anna@acme.example", "password": "x"}', 409),
        ("POST", "users", '{"username": "x", "password": ""}', 400),
        ("PUT", "users/nobody/password", '{"password": "x"}', 404),
        ("POST", "grants/nothing/withdraw", "", 404),
        ("GET", "log?since=x", "", 400),
        ("GET", "nothing", "", 404),
    ],
)
def test_bad_control_requests(sandbox: SandboxProcess, method: str, path: str, content: str, status: int) -> None:
    assert status_of(sandbox, method, path, content) == status


def test_a_created_client_shows_its_secret_once(client: Client) -> None:
    made = client.sandbox.create_client(redirect_uris=[REDIRECT_URI], access_token_seconds=5)
    other = Client(client.sandbox, client.http, made["client_id"], made["client_secret"])
    assert other.tokens()["expires_in"] == 5
    assert client.tokens()["expires_in"] == 3600
    assert all("secret" not in name for one in client.sandbox.control("GET", "clients")["clients"] for name in one)


def test_grants_are_filtered(client: Client) -> None:
    client.tokens()
    assert len(client.sandbox.grants(user=USER, alive="true")) == 1
    assert client.sandbox.grants(user="ben@books.example") == []
    assert client.sandbox.grants(client_id="nobody") == []
    assert client.sandbox.grants(alive="false") == []
