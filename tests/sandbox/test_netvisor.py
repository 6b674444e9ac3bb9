"""Netvisor: each request proves itself, and each thing that is wrong with one is refused."""

import re
from pathlib import Path

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess
from tests.sandbox.signers import NETVISOR, NETVISOR_HEADERS, NetvisorClient

MINUTES = 60.0
UNSIGNED = f"{NETVISOR}UseHTTPResponseStatusCodes"


@pytest.fixture
def netvisor(sandbox: SandboxProcess, http: httpx2.Client) -> NetvisorClient:
    """A client that the sandbox knows."""
    known = NetvisorClient(sandbox, http)
    known.settle()
    return known


def outcome(reply: httpx2.Response) -> tuple[int, str]:
    """The HTTP status and the vendor's code, `OK` for none."""
    said = re.findall("<Status>(.*?)</Status>", reply.text)
    assert said[0] == ("OK" if len(said) == 1 else "FAILED"), reply.text
    assert re.search(r"<TimeStamp>\d{1,2}\.\d{1,2}\.\d{4} \d\d:\d\d:\d\d</TimeStamp>", reply.text)
    return reply.status_code, said[-1].partition(" :: ")[0]


@pytest.mark.parametrize("algorithm", ["HMACSHA256", "SHA256"])
def test_a_right_request_is_served(netvisor: NetvisorClient, algorithm: str) -> None:
    netvisor.algorithm = algorithm
    reply = netvisor.call()
    assert outcome(reply) == (200, "OK")
    assert reply.headers["Content-Type"].startswith("text/xml")
    assert "<Name>Tampereen Työkalu Ky</Name>" in reply.text


@pytest.mark.parametrize("name", NETVISOR_HEADERS)
def test_a_missing_header_is_named(netvisor: NetvisorClient, name: str) -> None:
    headers = netvisor.headers(netvisor.url())
    del headers[name]
    reply = netvisor.send(headers)
    # Without its own header there is no status but 200.
    assert outcome(reply) == (200 if name == UNSIGNED else 401, "AUTHENTICATION_FAILED")
    assert f"The header {name} is missing" in reply.text


@pytest.mark.parametrize("name", NETVISOR_HEADERS)
def test_each_header_but_one_is_protected(netvisor: NetvisorClient, name: str) -> None:
    headers = netvisor.headers(netvisor.url())
    last = headers[name][-1]
    headers[name] = headers[name][:-1] + ("1" if last != "1" else "2")
    code = "OK" if name == UNSIGNED else "AUTHENTICATION_FAILED"
    assert outcome(netvisor.send(headers))[1] == code


@pytest.mark.parametrize("sent", ["customerlist.nv?keyword=b", "customerlist.nv?", "Customerlist.nv"])
def test_the_url_is_protected_letter_by_letter(netvisor: NetvisorClient, sent: str) -> None:
    headers = netvisor.headers(netvisor.url("customerlist.nv?keyword=a" if "=" in sent else "customerlist.nv"))
    assert outcome(netvisor.send(headers, netvisor.url(sent)))[1] == "AUTHENTICATION_FAILED"


def test_a_header_that_is_there_twice_is_named(netvisor: NetvisorClient) -> None:
    raw = list(netvisor.headers(netvisor.url()).items())
    reply = netvisor.http.get(netvisor.url(), headers=[*raw, (f"{NETVISOR}PartnerId", netvisor.partner_id)])
    assert outcome(reply) == (401, "AUTHENTICATION_FAILED")
    assert f"{NETVISOR}PartnerId is given more than once" in reply.text


def test_the_url_is_signed_in_iso_8859_15(netvisor: NetvisorClient) -> None:
    assert outcome(netvisor.call("customerlist.nv?keyword=%E2%82%AC%C5%A0"))[1] == "OK"
    for lacking in ("%E2%9C%93", "%E4"):
        headers = netvisor.headers(netvisor.url())
        reply = netvisor.send(headers, netvisor.url(f"customerlist.nv?keyword={lacking}"))
        assert outcome(reply)[1] == "AUTHENTICATION_FAILED"
        assert "ISO-8859-15 lacks" in reply.text


@pytest.mark.parametrize("minutes", [-16, 16])
def test_an_old_or_early_request_is_refused(netvisor: NetvisorClient, minutes: int) -> None:
    headers = netvisor.headers(netvisor.url(), at=minutes * MINUTES)
    reply = netvisor.send(headers)
    assert outcome(reply) == (401, "AUTHENTICATION_FAILED")
    assert "too old or in the future" in reply.text
    assert outcome(netvisor.send(netvisor.headers(netvisor.url(), at=minutes * MINUTES * 0.9)))[1] == "OK"


@pytest.mark.parametrize("unix", ["1750968590", "1.0", "-1"])
def test_the_two_timestamps_are_one_instant(netvisor: NetvisorClient, unix: str) -> None:
    assert outcome(netvisor.call(**{f"{NETVISOR}TimestampUnix": unix}))[1] == "AUTHENTICATION_FAILED"


@pytest.mark.parametrize("stamp", ["21.11.2026 05:03:12", "2026-13-01 00:00:00.000", "2026-11-21 05:03:12 +02:00"])
def test_a_timestamp_has_its_form(netvisor: NetvisorClient, stamp: str) -> None:
    reply = netvisor.call(**{f"{NETVISOR}Timestamp": stamp})
    assert outcome(reply)[1] == "AUTHENTICATION_FAILED"
    assert f"{stamp} is not valid" in reply.text


def test_a_transaction_id_is_good_once_for_all_customers_of_a_partner(netvisor: NetvisorClient) -> None:
    headers = netvisor.headers(netvisor.url())
    same = {f"{NETVISOR}TransactionId": headers[f"{NETVISOR}TransactionId"]}
    assert outcome(netvisor.send({**headers, f"{NETVISOR}MAC": "0" * 64}))[1] == "AUTHENTICATION_FAILED"
    assert outcome(netvisor.send(headers)) == (200, "OK")
    assert outcome(netvisor.send(headers)) == (409, "REQUEST_NOT_UNIQUE")
    other = NetvisorClient(netvisor.sandbox, netvisor.http, "XX_other_2", "FFFF0000")
    other.settle()
    assert outcome(other.call(**same)) == (409, "REQUEST_NOT_UNIQUE")
    elsewhere = NetvisorClient(netvisor.sandbox, netvisor.http, partner_id="Yyy_456", partner_key="EEEE1111")
    elsewhere.settle()
    assert outcome(elsewhere.call(**same)) == (200, "OK")


def test_a_used_transaction_id_outlives_the_process(tmp_path: Path, http: httpx2.Client) -> None:
    with SandboxProcess("--data", str(tmp_path)) as first:
        known = NetvisorClient(first, http)
        known.settle()
        used = known.headers(known.url())[f"{NETVISOR}TransactionId"]
        assert outcome(known.call(**{f"{NETVISOR}TransactionId": used})) == (200, "OK")
    with SandboxProcess("--data", str(tmp_path)) as second:
        again = NetvisorClient(second, http)
        assert outcome(again.call(**{f"{NETVISOR}TransactionId": used})) == (409, "REQUEST_NOT_UNIQUE")
        assert outcome(again.call()) == (200, "OK")


@pytest.mark.parametrize(
    "changes",
    [{"X_Netvisor_Interface_Language": "DE"}, {"X_Netvisor_Organisation_ID": "2345678-0"}],
)
def test_what_is_signed_rightly_may_still_be_denied(netvisor: NetvisorClient, changes: dict[str, str]) -> None:
    assert outcome(netvisor.call(**changes)) == (403, "SERVICE_ACCESS_ERROR")


def test_a_customer_without_rights_is_denied(netvisor: NetvisorClient) -> None:
    netvisor.sandbox.system("netvisor").change("customers", netvisor.customer_id, rights=False)
    assert outcome(netvisor.call()) == (403, "SERVICE_ACCESS_ERROR")


def test_a_key_that_is_not_the_customers_is_refused(netvisor: NetvisorClient) -> None:
    netvisor.sandbox.system("netvisor").change("customers", netvisor.customer_id, key="another")
    assert outcome(netvisor.call())[1] == "AUTHENTICATION_FAILED"
    netvisor.sandbox.system("netvisor").delete("customers", netvisor.customer_id)
    assert outcome(netvisor.call())[1] == "AUTHENTICATION_FAILED"


@pytest.mark.parametrize(("language", "text"), [("FI", "huollossa"), ("SE", "underhålls"), ("EN", "maintenance")])
def test_maintenance_is_told_in_the_language_of_the_request(netvisor: NetvisorClient, language: str, text: str) -> None:
    netvisor.sandbox.fault("netvisor", "error", error="SYSTEM_MAINTENANCE", times=None)
    reply = netvisor.call(X_Netvisor_Interface_Language=language)
    assert outcome(reply) == (503, "SYSTEM_MAINTENANCE")
    assert text in reply.text


def test_without_asking_for_it_the_status_is_always_200(netvisor: NetvisorClient) -> None:
    assert outcome(netvisor.call(**{UNSIGNED: "0", "X_Netvisor_Interface_Language": "DE"})) == (
        200,
        "SERVICE_ACCESS_ERROR",
    )


def test_what_a_partner_may_sign_can_be_chosen(netvisor: NetvisorClient) -> None:
    escaped = "customerlist.nv?keyword=M%C3%A4kel%C3%A4"
    assert outcome(netvisor.call(escaped))[1] == "OK"
    netvisor.sandbox.system("netvisor").change("partners", netvisor.partner_id, signed_url="sent")
    assert outcome(netvisor.call(escaped))[1] == "AUTHENTICATION_FAILED"
    netvisor.sandbox.system("netvisor").change("partners", netvisor.partner_id, algorithms=["HMACSHA256"])
    netvisor.algorithm = "SHA256"
    assert outcome(netvisor.call())[1] == "AUTHENTICATION_FAILED"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<root><customer><name>Mäki €</name></customer></root>".encode("iso-8859-15"), "OK"),
        ("<root><customer><name>Mäki €</name></customer></root>".encode(), "OK"),
        (b'<?xml version="1.0"?><root/>', "INVALID_DATA"),
        (b"<root><customer></root>", "INVALID_DATA"),
        (b"<!DOCTYPE root><root/>", "INVALID_DATA"),
        (b"", "INVALID_DATA"),
    ],
)
def test_a_new_customer_is_a_message_of_the_right_form(netvisor: NetvisorClient, body: bytes, code: str) -> None:
    assert outcome(netvisor.call("customer.nv?method=add", body))[1] == code


def test_the_log_names_both_and_shows_no_key(netvisor: NetvisorClient) -> None:
    headers = netvisor.headers(netvisor.url())
    netvisor.send(headers)
    (entry,) = netvisor.sandbox.log(endpoint="netvisor", client_id=netvisor.partner_id)
    assert (entry["user"], entry["decision"]) == (netvisor.customer_id, "served")
    secrets = (netvisor.customer_key, netvisor.partner_key, headers[f"{NETVISOR}MAC"])
    assert not [one for one in secrets if one in str(entry)]
