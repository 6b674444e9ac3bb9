"""Maventa as the sandbox reads the vendor's specification: tokens by scope, and 401 for nearly everything."""

import hashlib
from typing import Any

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess
from tests.fakes.system_control import SystemControl
from tests.sandbox.client import browser

COMPANY, KEY, NARROW_KEY, VENDOR = "0b9188fe-d541-42da-bce0-f9a9a6ee429b", "user-key-1", "user-key-2", "vendor-key"
OPERATOR, OPERATOR_SECRET = "operator-1", "operator-secret"
GIVEN = {
    "grant_type": "client_credentials",
    "client_id": COMPANY,
    "client_secret": KEY,
    "vendor_api_key": VENDOR,
    "scope": "global invoice:send invoice:receive",
}
NO_ACCESS = (401, {"code": "access_denied", "message": "Access denied", "details": []})
UNVERIFIED = (401, {"code": "unauthorized", "message": "Unauthorized", "details": []})


@pytest.fixture
def maventa(sandbox: SandboxProcess) -> SystemControl:
    system = sandbox.system("maventa")
    system.put("vendors", VENDOR, {"enabled": True})
    keys = {KEY: None, NARROW_KEY: ["company:read", "lookup"]}
    system.put("companies", COMPANY, {"name": "Acme Oy", "keys": keys})
    system.put("operators", OPERATOR, {"secret": OPERATOR_SECRET, "scopes": ["operator:lookup", "operator:validate"]})
    return system


def ask(sandbox: SandboxProcess, **changes: str | None) -> httpx2.Response:
    given = {name: value for name, value in {**GIVEN, **changes}.items() if value is not None}
    with browser() as http:
        return http.post(f"{sandbox.url}/maventa/oauth2/token", data=given)


def token(sandbox: SandboxProcess, **changes: str | None) -> str:
    reply = ask(sandbox, **changes)
    assert reply.status_code == 200, reply.text
    return reply.json()["access_token"]


def call(sandbox: SandboxProcess, access: str, path: str, method: str = "GET") -> httpx2.Response:
    with browser() as http:
        return http.request(method, f"{sandbox.url}/maventa{path}", headers={"Authorization": f"Bearer {access}"})


def refusal(reply: httpx2.Response) -> tuple[int, Any]:
    return reply.status_code, reply.json()


@pytest.mark.parametrize("body", ["form", "multipart", "json"])
def test_a_token_in_each_form_of_body(sandbox: SandboxProcess, maventa: SystemControl, body: str) -> None:
    sent: dict[str, Any] = {
        "form": {"data": GIVEN},
        "json": {"json": GIVEN},
        "multipart": {"files": {name: (None, value) for name, value in GIVEN.items()}},
    }[body]
    with browser() as http:
        reply = http.post(f"{sandbox.url}/maventa/oauth2/token", **sent)
    answered = reply.json()
    assert (reply.status_code, answered["token_type"], answered["expires_in"]) == (200, "bearer", 3600)
    assert answered["scope"] == GIVEN["scope"]
    assert reply.headers["Cache-Control"] == "no-store"
    current = call(sandbox, answered["access_token"], "/oauth2/current").json()
    assert (current["company"]["id"], current["company"]["name"]) == (COMPANY, "Acme Oy")
    assert {"lookup", "invoice:send"} <= set(current["scopes"])


def test_without_a_scope_the_token_can_do_little(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    reply = ask(sandbox, scope=None)
    assert reply.json()["scope"] == "global company"
    access = reply.json()["access_token"]
    assert call(sandbox, access, "/v1/companies").status_code == 200
    assert refusal(call(sandbox, access, "/v1/invoices", "POST")) == NO_ACCESS


def test_what_a_key_may_not_have_is_left_out(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    reply = ask(sandbox, client_secret=NARROW_KEY, scope="global invoice:send")
    assert reply.json()["scope"] == "company:read lookup"
    refused = ask(sandbox, client_secret=NARROW_KEY, scope="invoice:send")
    assert (refused.status_code, refused.json()["message"]) == (401, "ERROR: USER HAS NO RIGHTS TO COMPANY")


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"grant_type": "refresh_token"}, 400, "grant_type does not have a valid value"),
        ({"client_id": None}, 400, "client_id is missing"),
        ({"client_secret": None}, 400, "client_secret is missing"),
        ({"vendor_api_key": None}, 400, "vendor_api_key is missing"),
        ({"vendor_api_key": "another"}, 401, "ERROR: VENDOR API KEY DISABLED"),
        ({"client_id": "another"}, 401, "ERROR: COMPANY NOT FOUND"),
        ({"client_secret": "another"}, 401, "ERROR: USER NOT FOUND"),
        ({"scope": "invoice:eat"}, 400, "scope does not have a valid value: invoice:eat"),
        ({"scope": "operator:lookup"}, 400, "scope does not have a valid value: operator:lookup"),
        ({"client_id": OPERATOR, "client_secret": "another"}, 401, "ERROR: OPERATOR NOT FOUND"),
        (
            {"client_id": OPERATOR, "client_secret": OPERATOR_SECRET, "scope": "global"},
            400,
            "scope does not have a valid value: global",
        ),
    ],
)
def test_refused_token_requests(
    sandbox: SandboxProcess, maventa: SystemControl, changes: dict[str, str | None], status: int, message: str
) -> None:
    reply = ask(sandbox, **changes)
    assert (reply.status_code, reply.json()["message"]) == (status, message)
    assert set(reply.json()) == {"code", "message", "details"}


@pytest.mark.parametrize(
    ("kind", "identifier", "change", "message"),
    [
        ("vendors", VENDOR, {"enabled": False}, "ERROR: VENDOR API KEY DISABLED"),
        ("companies", COMPANY, {"keys": {NARROW_KEY: None}}, "ERROR: USER NOT FOUND"),
        ("companies", COMPANY, {"locked": True}, "ERROR: COMPANY ACCOUNT IS LOCKED"),
    ],
)
def test_what_the_vendor_can_switch_off(
    sandbox: SandboxProcess, maventa: SystemControl, kind: str, identifier: str, change: dict[str, Any], message: str
) -> None:
    access = token(sandbox)
    maventa.change(kind, identifier, **change)
    assert ask(sandbox).json()["message"] == message
    still_opens = kind == "vendors"
    assert call(sandbox, access, "/oauth2/current").status_code == (200 if still_opens else 401)


def test_an_unverified_company_gets_tokens_and_cannot_send(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    maventa.change("companies", COMPANY, verified=False)
    access = token(sandbox)
    assert refusal(call(sandbox, access, "/v1/invoices", "POST")) == UNVERIFIED
    assert refusal(call(sandbox, access, "/v1/invoices")) == UNVERIFIED
    assert call(sandbox, access, "/v1/company/authorization").json()["company_state"] == "UNVERIFIED"
    maventa.change("companies", COMPANY, verified=True)
    assert call(sandbox, access, "/v1/invoices", "POST").status_code == 200
    assert call(sandbox, access, "/v1/company/authorization").json()["company_state"] == "VERIFIED"


def test_expired_and_without_access_look_alike(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    maventa.change("companies", COMPANY, token_seconds=0)
    expired = refusal(call(sandbox, token(sandbox), "/oauth2/current"))
    maventa.change("companies", COMPANY, token_seconds=20)
    assert ask(sandbox).json()["expires_in"] == 20
    lacking = refusal(call(sandbox, token(sandbox, scope="lookup"), "/v1/companies"))
    assert expired == lacking == refusal(call(sandbox, "never-issued", "/oauth2/current")) == NO_ACCESS
    reasons = [entry["decision"] for entry in sandbox.log(endpoint="maventa.api")]
    assert reasons == ["invalid_token", "insufficient_scope", "invalid_token"]


def test_an_operator_needs_no_vendor_key(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    given = {"client_id": OPERATOR, "client_secret": OPERATOR_SECRET, "vendor_api_key": None}
    assert ask(sandbox, scope="operator:lookup", **given).json()["scope"] == "operator:lookup"
    access = token(sandbox, scope=None, **given)
    assert call(sandbox, access, "/oauth2/current").json()["scopes"] == ["operator:lookup", "operator:validate"]
    maventa.change("operators", OPERATOR, secret="changed")
    assert call(sandbox, access, "/oauth2/current").status_code == 401


def test_another_company_is_not_found(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    access = token(sandbox)
    assert call(sandbox, access, f"/v1/companies/{COMPANY}").json()["name"] == "Acme Oy"
    assert call(sandbox, access, "/v1/companies/another").status_code == 404
    assert call(sandbox, access, "/status/authenticated").json()["client_id"] == COMPANY


def test_the_log_has_fingerprints_only(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    access = token(sandbox)
    (entry,) = sandbox.log(endpoint="maventa.token")
    prints = [hashlib.sha256(one.encode()).hexdigest()[:16] for one in (KEY, access)]
    assert [entry["presented"], entry["issued"]["access_token"]] == prints
    assert entry["client_id"] == COMPANY
    assert not [one for one in (KEY, VENDOR, access) if one in str(entry)]


def test_faults_speak_the_vendors_language(sandbox: SandboxProcess, maventa: SystemControl) -> None:
    access = token(sandbox)
    sandbox.fault("maventa.token", "status", status=503, client_id=COMPANY)
    sandbox.fault("maventa.api", "rate_limited", retry_after=3)
    assert (ask(sandbox).status_code, ask(sandbox).status_code) == (503, 200)
    limited = call(sandbox, access, "/oauth2/current")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "3")
    assert limited.json()["code"] == "too_many_requests"
