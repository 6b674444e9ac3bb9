"""e-conomic: two secret headers, and the demo pair that only reads."""

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess

HEADERS = {"X-AppSecretToken": "app-secret-token", "X-AgreementGrantToken": "agreement-grant-token"}
DEMO = {"X-AppSecretToken": "demo", "X-AgreementGrantToken": "demo"}


@pytest.fixture
def economic(sandbox: SandboxProcess) -> SandboxProcess:
    """A sandbox that knows one app and one agreement."""
    system = sandbox.system("e-conomic")
    system.put("apps", HEADERS["X-AppSecretToken"], {"name": "Our app"})
    system.put("agreements", HEADERS["X-AgreementGrantToken"], {"number": 1234567, "company": "Nørrebro ApS"})
    return sandbox


def test_both_tokens_open_the_agreement(economic: SandboxProcess, http: httpx2.Client) -> None:
    found = http.get(f"{economic.url}/e-conomic/self", headers=HEADERS).json()
    assert (found["agreementNumber"], found["company"]["name"]) == (1234567, "Nørrebro ApS")
    page = http.get(f"{economic.url}/e-conomic/customers", headers=HEADERS).json()
    assert page["pagination"]["results"] == len(page["collection"]) == 2
    assert http.post(f"{economic.url}/e-conomic/customers", headers=HEADERS, json={}).status_code == 201


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, "another", "demo"])
@pytest.mark.parametrize("path", ["self", "customers"])
def test_one_wrong_token_is_401_in_the_vendors_form(
    economic: SandboxProcess, http: httpx2.Client, name: str, value: str | None, path: str
) -> None:
    headers = {known: token for known, token in {**HEADERS, name: value}.items() if token is not None}
    reply = http.get(f"{economic.url}/e-conomic/{path}", headers=headers)
    assert (reply.status_code, reply.json()["httpStatusCode"]) == (401, 401)
    assert {"message", "errorCode", "developerHint", "logId", "errors", "logTime"} <= set(reply.json())
    assert name in economic.log(endpoint="e-conomic")[-1]["reason"]


def test_the_demo_pair_reads_and_does_not_write(economic: SandboxProcess, http: httpx2.Client) -> None:
    assert http.get(f"{economic.url}/e-conomic/self", headers=DEMO).status_code == 200
    assert http.get(f"{economic.url}/e-conomic/customers", headers=DEMO).status_code == 200
    assert http.post(f"{economic.url}/e-conomic/customers", headers=DEMO, json={}).status_code == 403


def test_faults_and_the_log(economic: SandboxProcess, http: httpx2.Client) -> None:
    economic.fault("e-conomic", "error", error="E02250", status=401, client_id="Our app")
    assert http.get(f"{economic.url}/e-conomic/self", headers=DEMO).status_code == 200
    assert http.get(f"{economic.url}/e-conomic/self", headers=HEADERS).json()["errorCode"] == "E02250"
    http.get(f"{economic.url}/e-conomic/self", headers=HEADERS)
    entry = economic.log(endpoint="e-conomic")[-1]
    assert (entry["client_id"], entry["user"], entry["decision"]) == ("Our app", "1234567", "served")
    assert not [token for token in HEADERS.values() if token in str(economic.log())]
