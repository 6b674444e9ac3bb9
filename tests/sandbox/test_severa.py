"""Severa as the sandbox reads the vendor's documentation: JSON in, and a header besides the token."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess
from tests.fakes.system_control import SystemControl
from tests.sandbox.client import browser

APP, SECRET, SCOPE = "Konsultit_1.apps.severa.example", "severa-secret", "organization:read,customers:read"


@pytest.fixture
def severa(sandbox: SandboxProcess) -> SystemControl:
    system = sandbox.system("severa")
    system.put("apps", APP, {"secret": SECRET, "scopes": SCOPE.split(","), "company": "Konsultit Oy"})
    return system


def ask(sandbox: SandboxProcess, **changes: Any) -> httpx2.Response:
    with browser() as http:
        given = {"client_id": APP, "client_secret": SECRET, "scope": SCOPE, **changes}
        return http.post(f"{sandbox.url}/severa/rest-api/v1/token", json=given)


def call(
    sandbox: SandboxProcess, token: str, path: str = "organizationdetails", client_id: str | None = APP
) -> httpx2.Response:
    named = {"Client_Id": client_id} if client_id else {}
    with browser() as http:
        url = f"{sandbox.url}/severa/rest-api/v1/{path}"
        return http.get(url, headers={"Authorization": f"Bearer {token}", **named})


def test_a_token_says_when_it_ends(sandbox: SandboxProcess, severa: SystemControl) -> None:
    answered = ask(sandbox).json()
    ends = datetime.fromisoformat(answered["access_token_expires_utc"])
    assert 3590 < (ends - datetime.now(UTC)).total_seconds() <= 3600
    assert (answered["access_token_type"], answered["scope"]) == ("Bearer", SCOPE)
    assert "expires_in" not in answered
    assert call(sandbox, answered["access_token"]).json()["name"] == "Konsultit Oy"
    assert call(sandbox, answered["access_token"], "customers").json() == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"client_secret": "another"}, 401, "invalid_client"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_secret": 5}, 400, "invalid_request"),
        ({"scope": "customers:read,invoices:write"}, 400, "invalid_scope"),
        ({"scope": "organization:read customers:read"}, 400, "invalid_scope"),
    ],
)
def test_refused_token_requests(
    sandbox: SandboxProcess, severa: SystemControl, changes: dict[str, Any], status: int, code: str
) -> None:
    reply = ask(sandbox, **changes)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_a_form_is_refused(sandbox: SandboxProcess, severa: SystemControl) -> None:
    with browser() as http:
        given = {"client_id": APP, "client_secret": SECRET}
        assert http.post(f"{sandbox.url}/severa/rest-api/v1/token", data=given).status_code == 415


def test_without_the_client_id_the_token_opens_nothing(sandbox: SandboxProcess, severa: SystemControl) -> None:
    token = ask(sandbox).json()["access_token"]
    for client_id in (None, "another"):
        reply = call(sandbox, token, client_id=client_id)
        assert (reply.status_code, reply.json()["code"]) == (401, "no_client_id")


def test_scope_time_and_secret_of_a_token(sandbox: SandboxProcess, severa: SystemControl) -> None:
    narrow = ask(sandbox, scope="organization:read").json()["access_token"]
    assert call(sandbox, narrow, "customers").status_code == 403
    severa.change("apps", APP, token_seconds=0)
    assert call(sandbox, ask(sandbox).json()["access_token"]).status_code == 401
    assert call(sandbox, "never-issued").status_code == 401
    severa.change("apps", APP, secret="changed")
    assert call(sandbox, narrow).json()["code"] == "invalid_token"


def test_the_log_has_fingerprints_only(sandbox: SandboxProcess, severa: SystemControl) -> None:
    token = ask(sandbox).json()["access_token"]
    call(sandbox, token)
    asked, called = sandbox.log(client_id=APP)
    assert asked["issued"]["access_token"] == called["presented"]
    assert not [one for one in (SECRET, token) if one in f"{asked}{called}"]


def test_faults_speak_the_vendors_language(sandbox: SandboxProcess, severa: SystemControl) -> None:
    sandbox.fault("severa.token", "status", status=503)
    sandbox.fault("severa.token", "error", status=400, error="invalid_scope", error_description="Not this one")
    assert (ask(sandbox).status_code, ask(sandbox).json()["message"]) == (503, "Not this one")
    assert ask(sandbox).status_code == 200
