"""What tests put into the systems: kept, changed, forgotten, and nothing that a system does not know."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sandbox import SandboxProcess, plain_client

CUSTOMER = {"key": "k", "organisation_id": "1234567-1"}


def refusal(sandbox: SandboxProcess, method: str, path: str, body: Any = None) -> tuple[int, str]:
    with plain_client() as http:
        reply = http.request(method, f"{sandbox.url}/_sandbox/systems/{path}", json=body)
    return reply.status_code, reply.json()["error"]


def test_a_thing_is_put_changed_shown_and_forgotten(sandbox: SandboxProcess) -> None:
    netvisor = sandbox.system("netvisor")
    whole = {**CUSTOMER, "name": "Acme Oy", "rights": True}
    assert netvisor.put("customers", "XX/1 ä", CUSTOMER) == whole
    assert netvisor.change("customers", "XX/1 ä", rights=False) == {**whole, "rights": False}
    assert netvisor.get("customers", "XX/1 ä")["rights"] is False
    assert netvisor.put("customers", "XX/1 ä", CUSTOMER) == whole
    netvisor.delete("customers", "XX/1 ä")
    assert refusal(sandbox, "GET", "netvisor/customers/XX") == (404, "no netvisor/customers/XX")


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("PUT", "nowhere/customers/1", CUSTOMER, "nowhere"),
        ("GET", "nowhere/customers/1", None, "nowhere"),
        ("PUT", "netvisor/things/1", CUSTOMER, "things"),
        ("PUT", "eaccounting/things/1", {}, "none"),
        ("PUT", "netvisor/transactions/1", {"at": 0}, "transactions"),
        ("DELETE", "netvisor/transactions/1", None, "transactions"),
        ("PUT", "netvisor/customers/1", {**CUSTOMER, "rigths": False}, "rigths"),
        ("PUT", "netvisor/customers/1", {"key": "k"}, "organisation_id"),
        ("PUT", "netvisor/customers/1", {**CUSTOMER, "rights": "no"}, "rights"),
        ("PUT", "netvisor/customers/1", [], "object"),
        ("PUT", "netvisor/partners/1", {"key": "k", "signed_url": "raw"}, "signed_url"),
    ],
)
def test_what_a_system_does_not_know_is_named(
    sandbox: SandboxProcess, method: str, path: str, body: Any, named: str
) -> None:
    status, error = refusal(sandbox, method, path, body)
    assert (status, named in error) == (400, True), error


def test_a_change_is_checked_like_the_whole_and_needs_something_to_change(sandbox: SandboxProcess) -> None:
    assert refusal(sandbox, "PATCH", "netvisor/customers/1", {"rights": False})[0] == 404
    assert refusal(sandbox, "DELETE", "netvisor/customers/1")[0] == 404
    sandbox.system("netvisor").put("customers", "1", CUSTOMER)
    assert refusal(sandbox, "PATCH", "netvisor/customers/1", {"rights": 1})[0] == 400
    assert sandbox.system("netvisor").get("customers", "1")["rights"] is True


def test_a_reset_forgets_them_and_a_restart_does_not(tmp_path: Path) -> None:
    with SandboxProcess("--data", str(tmp_path)) as first:
        first.system("netvisor").put("customers", "1", CUSTOMER)
    with SandboxProcess("--data", str(tmp_path)) as second:
        assert second.system("netvisor").get("customers", "1")["key"] == "k"
        second.reset()
        assert refusal(second, "GET", "netvisor/customers/1")[0] == 404
