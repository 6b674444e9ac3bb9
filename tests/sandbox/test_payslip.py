"""Payslip: two ways to sign in by headers, always 200, the outcome in the text."""

import base64
import hashlib

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess

ACCOUNT = {"COMPANY-UUID": "99445728-5fd3-428a-96e1-ca0cab692276", "USER-API-KEY": "user-api-key-1"}
LOGIN = {"USERNAME": "test@yritys.example", "USERPW": "direct-print-password"}
CONTENT = b"PK\x05\x06"
LETTER = {
    "sw_api_key": "vendor-key",
    "filename": "a.zip",
    "file": base64.b64encode(CONTENT).decode(),
    "hash": hashlib.sha1(CONTENT).hexdigest(),
}
REGISTRATION = {
    "sw_api_key": "vendor-key",
    "company_uuid": "c-2",
    "company_name": "Delta Oy",
    "user_email": "d@delta.example",
    "user_pw": "delta-password",
}


@pytest.fixture
def payslip(sandbox: SandboxProcess) -> SandboxProcess:
    """A sandbox that knows one account and one login."""
    system = sandbox.system("maventa-payslip")
    system.put("accounts", ACCOUNT["COMPANY-UUID"], {"user_api_key": ACCOUNT["USER-API-KEY"]})
    system.put("logins", LOGIN["USERNAME"], {"password": LOGIN["USERPW"]})
    return sandbox


def said(http: httpx2.Client, sandbox: SandboxProcess, action: str, headers: dict[str, str], **form: str) -> str:
    reply = http.post(f"{sandbox.url}/payslip/{action}", headers=headers, data=form)
    assert reply.status_code == 200
    return reply.text


@pytest.mark.parametrize("headers", [ACCOUNT, LOGIN])
def test_either_way_is_accepted(payslip: SandboxProcess, http: httpx2.Client, headers: dict[str, str]) -> None:
    assert said(http, payslip, "file_status", headers) == "OK"
    assert said(http, payslip, "input_public", headers, **LETTER) == "OK"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "COMPANY NOT FOUND"),
        ({**ACCOUNT, "COMPANY-UUID": "another"}, "COMPANY NOT FOUND"),
        ({**ACCOUNT, "USER-API-KEY": "another"}, "USER NOT FOUND"),
        ({"COMPANY-UUID": ACCOUNT["COMPANY-UUID"]}, "USER NOT FOUND"),
        ({**LOGIN, "USERNAME": "another"}, "USER NOT FOUND"),
        ({**LOGIN, "USERPW": "another"}, "USER NOT FOUND"),
        ({**ACCOUNT, **LOGIN}, "TWO KINDS OF CREDENTIALS"),
    ],
)
def test_a_wrong_value_is_an_error_with_200(
    payslip: SandboxProcess, http: httpx2.Client, headers: dict[str, str], text: str
) -> None:
    assert said(http, payslip, "file_status", headers) == f"ERROR: {text}"
    assert payslip.log(endpoint="maventa-payslip")[-1]["decision"] == "error"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"hash": "0" * 40}, "HASH DOES NOT MATCH"),
        ({"file": "?"}, "FILE IS NOT BASE64"),
        ({"sw_api_key": ""}, "SW_API_KEY MISSING"),
    ],
)
def test_a_letter_is_checked(payslip: SandboxProcess, http: httpx2.Client, form: dict[str, str], text: str) -> None:
    assert said(http, payslip, "input_public", ACCOUNT, **{**LETTER, **form}) == f"ERROR: {text}"


def test_a_registration_makes_a_login_once(payslip: SandboxProcess, http: httpx2.Client) -> None:
    assert said(http, payslip, "register", {}, **{**REGISTRATION, "user_pw": ""}) == "ERROR: USER_PW MISSING"
    assert said(http, payslip, "register", {}, **REGISTRATION) == "OK"
    login = {"USERNAME": REGISTRATION["user_email"], "USERPW": REGISTRATION["user_pw"]}
    assert said(http, payslip, "file_status", login, filename="a.zip").startswith("OK")
    again = said(http, payslip, "register", {}, **{**REGISTRATION, "user_email": "e@delta.example"})
    assert again == "ERROR: COMPANY UUID ALREADY REGISTERED"
    again = said(http, payslip, "register", {}, **{**REGISTRATION, "company_uuid": "c-3"})
    assert again == "ERROR: USER EMAIL ALREADY REGISTERED"


def test_faults_and_the_log(payslip: SandboxProcess, http: httpx2.Client) -> None:
    payslip.fault("maventa-payslip", "error", error="COMPANY ACCOUNT IS LOCKED", client_id=ACCOUNT["COMPANY-UUID"])
    assert said(http, payslip, "file_status", LOGIN) == "OK"
    assert said(http, payslip, "file_status", ACCOUNT) == "ERROR: COMPANY ACCOUNT IS LOCKED"
    shown = str(payslip.log())
    assert not [one for one in (ACCOUNT["USER-API-KEY"], LOGIN["USERPW"]) if one in shown]
    fingerprint = hashlib.sha256(ACCOUNT["USER-API-KEY"].encode()).hexdigest()[:16]
    assert payslip.log(presented=fingerprint)[0]["client_id"] == ACCOUNT["COMPANY-UUID"]
