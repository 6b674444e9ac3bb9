"""Visma.net Integrations as the sandbox reads the documents: one token for ever, a company in each call."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from tests.fakes.sandbox import REDIRECT_URI, SandboxProcess, sign_in_and_consent
from tests.sandbox.client import answer, browser, error_of

APP, SECRET = "isv_vni", "vni-secret"
USER, PASSWORD = "liv@fjord.example", "vni-password"
COMPANIES = [{"id": "1001", "name": "Fjord AS"}, {"id": "1002", "name": "Dal AS", "licensed": False}]
HEADERS = {"ipp-company-id": "1001", "ipp-application-type": "Visma.net Financials"}


class VismaNet:
    """One API client, one user."""

    def __init__(self, sandbox: SandboxProcess, http: httpx2.Client) -> None:
        self.sandbox, self.http, self.base = sandbox, http, f"{sandbox.url}/visma-net/API"
        self.system = sandbox.system("visma-net")
        self.system.put("apps", APP, {"secret": SECRET, "redirect_uris": [REDIRECT_URI, REDIRECT_URI + "2"]})
        self.system.put("users", USER, {"password": PASSWORD, "companies": COMPANIES})

    def url(self, **changes: str | None) -> str:
        given: dict[str, str | None] = {
            "response_type": "code",
            "client_id": APP,
            "redirect_uri": REDIRECT_URI,
            "scope": "financialstasks",
            "state": "s-1",
            **changes,
        }
        sent = {name: value for name, value in given.items() if value is not None}
        return f"{self.base}/resources/oauth/authorize?{urlencode(sent)}"

    def authorize(self, *, allow: bool = True, **changes: str | None) -> dict[str, str]:
        url = self.url(**changes)
        return answer(sign_in_and_consent(self.http, url, username=USER, password=PASSWORD, allow=allow))

    def redeem(self, code: str, auth: Any = (APP, SECRET), **changes: str) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, **changes}
        return self.http.post(f"{self.base}/security/api/v2/token", data=form, auth=auth)

    def token(self) -> str:
        reply = self.redeem(self.authorize()["code"])
        assert reply.status_code == 200, reply.text
        return reply.json()["token"]

    def contexts(self, token: str) -> httpx2.Response:
        url = f"{self.base}/security/api/v1/token/usercontexts"
        return self.http.get(url, headers={"Authorization": f"Bearer {token}"})

    def customers(self, token: str, headers: dict[str, str]) -> httpx2.Response:
        url = f"{self.base}/controller/api/v1/customer"
        return self.http.get(url, headers={"Authorization": f"Bearer {token}", **headers})


@pytest.fixture
def vni(sandbox: SandboxProcess) -> Iterator[VismaNet]:
    with browser() as http:
        yield VismaNet(sandbox, http)


def test_the_token_has_a_name_of_its_own_and_no_end(vni: VismaNet) -> None:
    response = vni.authorize()
    assert set(response) == {"code", "state"}
    answered = vni.redeem(response["code"]).json()
    assert set(answered) == {"token", "type", "scope"}
    assert vni.contexts(answered["token"]).json() == [{"id": 1001, "name": "Fjord AS"}, {"id": 1002, "name": "Dal AS"}]


@pytest.mark.parametrize("companies", [[], COMPANIES[:1], COMPANIES])
def test_a_token_reaches_every_company_that_its_user_has_now(vni: VismaNet, companies: list[dict[str, Any]]) -> None:
    vni.system.change("users", USER, companies=companies)
    assert [one["name"] for one in vni.contexts(vni.token()).json()] == [one["name"] for one in companies]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "financialstasks more"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_refused_authorization_requests(vni: VismaNet, changes: dict[str, str | None], error: str) -> None:
    refusal = answer(vni.http.get(vni.url(**changes)).headers["Location"])
    assert (refusal["error"], refusal["state"]) == (error, "s-1")


def test_redirect_uris_are_several_and_exact(vni: VismaNet) -> None:
    assert vni.http.get(vni.url(redirect_uri=REDIRECT_URI + "3")).status_code == 400
    code = vni.authorize(redirect_uri=REDIRECT_URI + "2")["code"]
    assert error_of(vni.redeem(code)) == (400, "invalid_grant")
    assert vni.authorize(allow=False)["error"] == "access_denied"


def test_basic_is_the_only_client_authentication(vni: VismaNet) -> None:
    code = vni.authorize()["code"]
    posted = vni.redeem(code, None, client_id=APP, client_secret=SECRET)
    assert error_of(posted) == (401, "invalid_client")
    assert error_of(vni.redeem(code, (APP, "wrong"))) == (401, "invalid_client")
    assert error_of(vni.redeem(code, ("nobody", SECRET))) == (401, "invalid_client")
    assert vni.redeem(code).status_code == 200


def test_codes_work_once_and_nothing_is_refreshed(vni: VismaNet) -> None:
    code = vni.authorize()["code"]
    token = vni.redeem(code).json()["token"]
    assert error_of(vni.redeem("never-issued")) == (400, "invalid_grant")
    for grant_type in ("refresh_token", "password", "client_credentials"):
        assert error_of(vni.redeem(code, grant_type=grant_type)) == (400, "unsupported_grant_type")
    assert vni.contexts(token).status_code == 200
    assert error_of(vni.redeem(code)) == (400, "invalid_grant")
    assert vni.contexts(token).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "12002"),
        ({**HEADERS, "ipp-company-id": "9999"}, 400, "12002"),
        ({**HEADERS, "ipp-application-type": "Something"}, 400, "12002"),
        ({**HEADERS, "ipp-company-id": "1002"}, 403, "12027"),
    ],
)
def test_a_call_names_a_company_that_is_licensed(
    vni: VismaNet, headers: dict[str, str], status: int, code: str
) -> None:
    token = vni.token()
    assert vni.customers(token, HEADERS).status_code == 200
    reply = vni.customers(token, headers)
    assert (reply.status_code, reply.json()["ExceptionFaultCode"]) == (status, code)
    assert reply.json()["ExceptionType"] == "IPPException"
    assert reply.json()["ExceptionMessageID"].startswith(f"{code}_")


def test_only_the_person_ends_a_token(vni: VismaNet) -> None:
    token = vni.token()
    (grant,) = vni.sandbox.grants(client_id=f"visma-net/{APP}")
    vni.sandbox.withdraw(grant["id"])
    for reply in (vni.contexts(token), vni.customers(token, HEADERS), vni.contexts("never-issued")):
        assert (reply.status_code, reply.json()["ExceptionType"]) == (401, "IPPException")


def test_a_token_of_another_system_opens_nothing(vni: VismaNet) -> None:
    other = vni.sandbox.create_client(redirect_uris=[REDIRECT_URI], require_pkce=False)
    query = {"response_type": "code", "client_id": other["client_id"], "redirect_uri": REDIRECT_URI, "scope": "ea:api"}
    url = f"{vni.sandbox.url}/connect/authorize?{urlencode(query)}"
    code = answer(sign_in_and_consent(vni.http, url))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    basic = (other["client_id"], other["client_secret"])
    tokens = vni.http.post(f"{vni.sandbox.url}/connect/token", data=form, auth=basic).json()
    assert vni.contexts(tokens["access_token"]).status_code == 401
    eaccounting = {"Authorization": f"Bearer {vni.token()}"}
    assert vni.http.get(f"{vni.sandbox.url}/v2/companysettings", headers=eaccounting).status_code == 401


def test_log_and_faults(vni: VismaNet) -> None:
    token = vni.token()
    (entry,) = vni.sandbox.log(endpoint="visma-net.token")
    assert (entry["client_id"], entry["decision"], entry["user"]) == (APP, "issued", USER)
    assert not [one for one in (token, SECRET) if one in str(entry)]
    vni.sandbox.fault("visma-net.api", "rate_limited", retry_after=411)
    limited = vni.contexts(token)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "411")
    assert limited.json()["ExceptionType"] == "IPPException"
