"""Procountor as the sandbox reads the vendor's page: the program's credentials, and the company's key."""

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess
from tests.fakes.system_control import SystemControl
from tests.sandbox.client import browser, error_of

APP, SECRET, REDIRECT_URI, KEY = "our-client", "procountor-secret", "https://broker.example/procountor", "company-key"


@pytest.fixture
def procountor(sandbox: SandboxProcess) -> SystemControl:
    system = sandbox.system("procountor")
    system.put("apps", APP, {"secret": SECRET, "redirect_uri": REDIRECT_URI})
    system.put("companies", KEY, {"name": "Tili Oy", "client_id": APP})
    return system


def ask(sandbox: SandboxProcess, headers: dict[str, str] | None = None, **changes: str | None) -> httpx2.Response:
    given: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_id": APP,
        "client_secret": SECRET,
        "redirect_uri": REDIRECT_URI,
        "api_key": KEY,
        **changes,
    }
    sent = {name: value for name, value in given.items() if value is not None}
    with browser() as http:
        return http.post(f"{sandbox.url}/procountor/api/oauth/token", data=sent, headers=headers or {})


def company(sandbox: SandboxProcess, token: str) -> httpx2.Response:
    with browser() as http:
        return http.get(f"{sandbox.url}/procountor/api/company", headers={"Authorization": f"Bearer {token}"})


def test_a_token_opens_the_company_of_the_key(sandbox: SandboxProcess, procountor: SystemControl) -> None:
    answered = ask(sandbox).json()
    assert answered["expires_in"] == 3600
    assert company(sandbox, answered["access_token"]).json()["name"] == "Tili Oy"
    (entry,) = sandbox.log(endpoint="procountor.token")
    assert (entry["client_id"], entry["decision"]) == (APP, "issued")
    assert not [one for one in (SECRET, KEY, answered["access_token"]) if one in str(entry)]


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"client_secret": "another"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"redirect_uri": REDIRECT_URI + "/"}, 400, "invalid_request"),
        ({"redirect_uri": None}, 400, "invalid_request"),
        ({"api_key": "another"}, 400, "invalid_grant"),
        ({"api_key": None}, 400, "invalid_grant"),
    ],
)
def test_refused_token_requests(
    sandbox: SandboxProcess, procountor: SystemControl, changes: dict[str, str | None], status: int, error: str
) -> None:
    assert error_of(ask(sandbox, **changes)) == (status, error)


def test_a_key_serves_the_client_it_was_made_for(sandbox: SandboxProcess, procountor: SystemControl) -> None:
    procountor.change("companies", KEY, client_id="somebody-else")
    assert error_of(ask(sandbox)) == (400, "invalid_grant")


def test_basic_is_refused(sandbox: SandboxProcess, procountor: SystemControl) -> None:
    assert error_of(ask(sandbox, {"Authorization": "Basic eDp5"})) == (400, "invalid_request")


def test_a_token_dies_with_time_and_with_its_key(sandbox: SandboxProcess, procountor: SystemControl) -> None:
    token = ask(sandbox).json()["access_token"]
    procountor.change("apps", APP, token_seconds=0)
    assert company(sandbox, ask(sandbox).json()["access_token"]).status_code == 401
    assert company(sandbox, token).status_code == 200
    procountor.delete("companies", KEY)
    assert company(sandbox, token).status_code == 401


def test_faults_speak_the_vendors_language(sandbox: SandboxProcess, procountor: SystemControl) -> None:
    token = ask(sandbox).json()["access_token"]
    sandbox.fault("procountor.api", "rate_limited", retry_after=4)
    limited = company(sandbox, token)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "4")
    assert limited.json() == {"errors": [{"status": 429, "message": "TOO_MANY_REQUESTS"}]}
