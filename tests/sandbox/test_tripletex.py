"""Tripletex as the sandbox reads the vendor's specification: sessions that end with the day before their date."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess
from tests.fakes.system_control import SystemControl
from tests.sandbox.client import browser

CONSUMER, EMPLOYEE = "consumer-token", "employee-token"


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")


@pytest.fixture
def tripletex(sandbox: SandboxProcess) -> SystemControl:
    system = sandbox.system("tripletex")
    system.put("consumers", CONSUMER, {"name": "Our Program"})
    system.put("employees", EMPLOYEE, {"company": "Fjord AS"})
    return system


def create(sandbox: SandboxProcess, **changes: str | None) -> httpx2.Response:
    given: dict[str, str | None] = {"consumerToken": CONSUMER, "employeeToken": EMPLOYEE, "expirationDate": day(2)}
    sent = {name: value for name, value in {**given, **changes}.items() if value is not None}
    with browser() as http:
        return http.put(f"{sandbox.url}/tripletex/v2/token/session/:create", params=sent)


def session(sandbox: SandboxProcess) -> str:
    reply = create(sandbox)
    assert reply.status_code == 200, reply.text
    return reply.json()["value"]["token"]


def who(sandbox: SandboxProcess, token: str, user: str = "0") -> httpx2.Response:
    with browser() as http:
        return http.get(f"{sandbox.url}/tripletex/v2/token/session/>whoAmI", auth=(user, token))


def test_a_session_opens_the_company_of_the_employee_token(sandbox: SandboxProcess, tripletex: SystemControl) -> None:
    value = create(sandbox).json()["value"]
    assert value["expirationDate"] == day(2)
    shown = who(sandbox, value["token"]).json()["value"]
    assert shown["company"]["name"] == "Fjord AS"
    assert who(sandbox, value["token"], str(shown["companyId"])).status_code == 200
    with browser() as http:
        listed = http.get(f"{sandbox.url}/tripletex/v2/customer", auth=("0", value["token"]))
    assert (listed.json()["values"], listed.headers["X-Rate-Limit-Reset"]) == ([], "1")


@pytest.mark.parametrize("name", ["consumerToken", "employeeToken", "expirationDate"])
def test_nothing_may_be_missing(sandbox: SandboxProcess, tripletex: SystemControl, name: str) -> None:
    reply = create(sandbox, **{name: None})
    assert (reply.status_code, reply.json()["validationMessages"][0]["field"]) == (422, name)


@pytest.mark.parametrize("date", [day(0), day(-1), "tomorrow", "2999-13-01", "01.01.2999"])
def test_the_date_is_a_day_in_the_future(sandbox: SandboxProcess, tripletex: SystemControl, date: str) -> None:
    reply = create(sandbox, expirationDate=date)
    assert (reply.status_code, reply.json()["validationMessages"][0]["field"]) == (422, "expirationDate")


@pytest.mark.parametrize("name", ["consumerToken", "employeeToken"])
def test_an_unknown_token_is_401_and_named(sandbox: SandboxProcess, tripletex: SystemControl, name: str) -> None:
    reply = create(sandbox, **{name: "another"})
    assert (reply.status_code, reply.json()["code"]) == (401, 3000)
    assert reply.json()["developerMessage"] == f"Invalid {name}"


def test_only_put_creates(sandbox: SandboxProcess, tripletex: SystemControl) -> None:
    with browser() as http:
        assert http.post(f"{sandbox.url}/tripletex/v2/token/session/:create").status_code == 405


def test_a_session_ends_by_delete_by_time_and_with_its_key(sandbox: SandboxProcess, tripletex: SystemControl) -> None:
    ended = session(sandbox)
    with browser() as http:
        url = f"{sandbox.url}/tripletex/v2/token/session/{ended}"
        assert http.delete(url, auth=("0", ended)).status_code == 204
        assert http.delete(url, auth=("0", session(sandbox))).status_code == 404
    assert who(sandbox, ended).status_code == 401
    tripletex.change("consumers", CONSUMER, session_seconds=0)
    assert who(sandbox, session(sandbox)).json()["code"] == 3000
    tripletex.change("consumers", CONSUMER, session_seconds=None)
    living = session(sandbox)
    assert who(sandbox, living).status_code == 200
    tripletex.delete("employees", EMPLOYEE)
    assert who(sandbox, living).status_code == 401


def test_basic_authentication_is_asked_for(sandbox: SandboxProcess, tripletex: SystemControl) -> None:
    token = session(sandbox)
    assert who(sandbox, token, "1").status_code == 401
    with browser() as http:
        url = f"{sandbox.url}/tripletex/v2/token/session/%3EwhoAmI"
        assert http.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 401
        assert http.get(url, auth=("0", token)).status_code == 200


def test_log_and_faults(sandbox: SandboxProcess, tripletex: SystemControl) -> None:
    token = session(sandbox)
    (entry,) = sandbox.log(endpoint="tripletex.token")
    assert (entry["client_id"], entry["decision"]) == ("Our Program", "issued")
    assert not [one for one in (CONSUMER, EMPLOYEE, token) if one in str(entry)]
    sandbox.fault("tripletex.api", "rate_limited", retry_after=7)
    limited = who(sandbox, token)
    assert (limited.status_code, limited.headers["X-Rate-Limit-Reset"]) == (429, "7")
    assert "Retry-After" not in limited.headers
