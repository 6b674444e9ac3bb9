"""Fivaldi: one signature a request, a partner's own companies only, and the vendor's error forms."""

import json

import httpx2
import pytest

from tests.fakes.sandbox import SandboxProcess
from tests.sandbox.signers import CUID, FivaldiClient

JSON, MULTIPART = "application/json", "multipart/form-data; boundary=b1"
UPLOAD = b'--b1\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n12345\r\n--b1--\r\n'
RATE = ("X-RateLimit-Replenish-Rate", "X-RateLimit-Burst-Capacity", "X-RateLimit-Remaining")


@pytest.fixture
def fivaldi(sandbox: SandboxProcess, http: httpx2.Client) -> FivaldiClient:
    """A partner that the sandbox knows."""
    known = FivaldiClient(sandbox, http)
    known.settle()
    return known


def echo(fivaldi: FivaldiClient, headers: dict[str, str], body: bytes, path: str = "vouchers/add") -> httpx2.Response:
    return fivaldi.http.post(fivaldi.url(f"companies/{CUID}/{path}"), headers=headers, content=body)


def test_right_requests_are_served(fivaldi: FivaldiClient) -> None:
    assert fivaldi.call().status_code == 200
    (company,) = fivaldi.call("companies?businessId=1234567-1").json()
    assert (company["cuid"], company["businessId"]) == (CUID, "1234567-1")
    assert fivaldi.call("companies?businessId=2345678-0").json() == []
    assert fivaldi.call("customers").json() == [company]
    assert len(fivaldi.call(f"companies/{CUID}/customers?name=%C3%84%20%26&b=").json()) == 2


def test_more_vendor_headers_are_signed_too(fivaldi: FivaldiClient) -> None:
    fivaldi.more = {"X-Fivaldi-Company": "12345"}
    headers = fivaldi.headers("GET", fivaldi.url())
    assert fivaldi.http.get(fivaldi.url(), headers=headers).status_code == 200
    del headers["X-Fivaldi-Company"]
    assert fivaldi.http.get(fivaldi.url(), headers=headers).status_code == 401


def test_a_body_arrives_as_it_was_signed(fivaldi: FivaldiClient) -> None:
    body = json.dumps({"name": "Mäkelä"}, ensure_ascii=False).encode()
    assert fivaldi.call(f"companies/{CUID}/vouchers/add", "POST", body, JSON).json()["json"] == {"name": "Mäkelä"}
    (part,) = fivaldi.call(f"companies/{CUID}/vouchers/add", "PUT", UPLOAD, MULTIPART).json()["parts"]
    assert part == {"name": "file", "filename": "a.pdf", "bytes": 5}
    assert fivaldi.call(f"companies/{CUID}/orders/55/approve", "POST").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"X-Fivaldi-Timestamp": "1750968590"},
        {"X-Fivaldi-Timestamp": "now"},
        {"X-Fivaldi-Partner": "another"},
        {"Authorization": "Fivaldi AAAA"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"X-Fivaldi-More": "1"},
        {"X-Fivaldi-Timestamp": None},
        {"X-Fivaldi-Partner": None},
        {"Authorization": None},
    ],
)
def test_one_changed_header_is_401_without_a_body(fivaldi: FivaldiClient, change: dict[str, str | None]) -> None:
    url = fivaldi.url(f"companies/{CUID}/vouchers/add")
    right = {**fivaldi.headers("POST", url, b"{}", JSON)}
    headers = {name: value for name, value in {**right, **change}.items() if value is not None}
    reply = echo(fivaldi, headers, b"{}")
    assert (reply.status_code, reply.content) == (401, b"")
    assert echo(fivaldi, right, b"{}").status_code == 200


def test_one_changed_byte_or_letter_or_method_is_401(fivaldi: FivaldiClient) -> None:
    url = fivaldi.url(f"companies/{CUID}/vouchers/add")
    headers = fivaldi.headers("POST", url, b'{"sum":1}', JSON)
    assert echo(fivaldi, headers, b'{"sum":2}').status_code == 401
    assert echo(fivaldi, headers, b'{"sum":1}', "vouchers/Add").status_code == 401
    assert echo(fivaldi, headers, b'{"sum":1}', "vouchers/add?a=1").status_code == 401
    assert fivaldi.http.put(url, headers=headers, content=b'{"sum":1}').status_code == 401


@pytest.mark.parametrize(("minutes", "status"), [(-16, 401), (16, 401), (-14, 200), (14, 200)])
def test_the_clock_may_be_off_by_a_quarter_of_an_hour(fivaldi: FivaldiClient, minutes: int, status: int) -> None:
    headers = fivaldi.headers("GET", fivaldi.url(), at=minutes * 60)
    assert fivaldi.http.get(fivaldi.url(), headers=headers).status_code == status


def test_companies_of_others_and_of_nobody(fivaldi: FivaldiClient) -> None:
    fivaldi.sandbox.system("fivaldi").put("companies", "OTHER", {"business_id": "2345678-0", "name": "Birch Oy"})
    forbidden = fivaldi.call("companies/OTHER/customers")
    assert (forbidden.status_code, forbidden.content) == (403, b"")
    for path in ("companies/NOBODY/customers", f"companies/{CUID}/nothing", "nothing"):
        missing = fivaldi.call(path)
        assert (missing.status_code, missing.json()["status"]) == (404, 404)
        assert missing.json()["message"]


def test_a_body_that_cannot_be_read_is_400_with_errors(fivaldi: FivaldiClient) -> None:
    reply = fivaldi.call(f"companies/{CUID}/vouchers/add", "POST", b"{", JSON)
    assert (reply.status_code, set(reply.json())) == (400, {"status", "message", "errors"})


def test_the_rate_is_told_always_and_enforced_when_asked(fivaldi: FivaldiClient) -> None:
    assert [fivaldi.call().status_code for _ in range(12)] == [200] * 12
    refused = fivaldi.http.get(fivaldi.url())
    assert [name in refused.headers for name in RATE] == [True] * 3
    fivaldi.sandbox.system("fivaldi").change("partners", fivaldi.partner_id, rate_limited=True)
    replies = [fivaldi.call() for _ in range(15)]
    late = next(one for one in replies if one.status_code == 429)
    assert [late.headers[name] for name in RATE] == ["2", "10", "0"]


def test_the_log_names_partner_and_company_and_shows_no_secret(fivaldi: FivaldiClient) -> None:
    reply = fivaldi.call(f"companies/{CUID}/customers")
    (entry,) = fivaldi.sandbox.log(endpoint="fivaldi", client_id=fivaldi.partner_id)
    assert (entry["user"], entry["decision"]) == (CUID, "served")
    assert fivaldi.secret not in str(entry)
    assert reply.request.headers["Authorization"].removeprefix("Fivaldi ") not in str(entry)
