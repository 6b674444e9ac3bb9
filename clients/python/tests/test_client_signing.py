"""Providers that sign each request, and those with headers instead of tokens."""

import hashlib
import io

import httpx
import pytest
from callers import ALL, PATH, PLACE, Call, one_shot, stream_for
from fake_server import CONNECTION, VENDOR_SECRET, Reply, Seen, Server, headers, problem, verdict
from token_broker import BodyNotReadable, ForeignOrigin, TokenBroker

FEEDBACK = f"/v1/connections/{CONNECTION}/feedback"
UNSIGNED = problem("unsupported_operation", 422, supported=["hands_out_headers", "signs_requests"])


def signing(vendor: Server, seen: Seen) -> Reply:
    """Sign like a provider: the headers say what they were made for."""
    told = seen.json()
    body = told.get("body_base64", told.get("body_digest", ""))
    return headers(vendor.url, **{"X-Mac": f"{told['method']} {told['url']} {body}".strip()})


@pytest.fixture
def signer(server: Server, vendor: Server) -> Server:
    """A broker whose provider signs each request."""
    server.on(f"{PATH}/token", UNSIGNED)
    server.on(f"{PATH}/headers", lambda seen: signing(vendor, seen))
    return server


def test_a_provider_that_signs_gets_each_request_signed(signer: Server, vendor: Server, call: Call) -> None:
    vendor.on("/api/things", Reply(200, b"ok"))
    url = f"{vendor.url}/api/things?page=1"
    more = {"content": b"<x/>", "headers": {"Content-Type": "text/xml", "X-Own": "1", "Cookie": "a=b"}}
    assert call(signer.url, PLACE, "POST", url, **more).status == 200
    assert vendor.seen[0].headers["x-mac"] == f"POST {url} PHgvPg=="
    described = signer.of(f"{PATH}/headers")[0].json()
    assert described["content_type"] == "text/xml"
    assert described["headers"] == {"x-own": "1"}


def test_it_is_remembered_that_a_provider_signs(signer: Server, vendor: Server, broker: TokenBroker) -> None:
    vendor.on("/api/things", Reply(200, b"ok"))
    with httpx.Client(trust_env=False, verify=False, auth=broker.auth(**PLACE)) as client:
        for page in range(3):
            client.get(f"{vendor.url}/api/things", params={"page": page})
    assert len(signer.of(f"{PATH}/token")) == 1
    assert len(signer.of(f"{PATH}/headers")) == 3
    assert len({one.headers["x-mac"] for one in vendor.seen}) == 3


def test_headers_that_are_good_for_many_requests_are_held(server: Server, vendor: Server, broker: TokenBroker) -> None:
    server.on(f"{PATH}/token", UNSIGNED)
    server.on(f"{PATH}/headers", headers(vendor.url, single_use=False, **{"X-App": VENDOR_SECRET}))
    vendor.on("/api/things", Reply(200, b"ok"))
    with httpx.Client(trust_env=False, verify=False, auth=broker.auth(**PLACE)) as client:
        for _ in range(3):
            assert client.get(f"{vendor.url}/api/things").status_code == 200
        with pytest.raises(ForeignOrigin):
            client.get("http://127.0.0.1:9/api/things")
    assert len(server.of(f"{PATH}/headers")) == 1


def test_a_refused_signature_is_made_anew_once(signer: Server, vendor: Server, call: Call) -> None:
    signer.on(FEEDBACK, verdict("stale_version"))
    vendor.on("/api/things", Reply(401), Reply(200, b"ok"))
    assert call(signer.url, PLACE, "GET", f"{vendor.url}/api/things").status == 200
    assert len(signer.of(f"{PATH}/headers")) == 2


def test_a_large_body_stays_here_and_only_its_digest_leaves(signer: Server, vendor: Server, call: Call) -> None:
    vendor.on("/api/things", Reply(200, b"ok"))
    body = b"x" * 300_000
    assert call(signer.url, PLACE, "POST", f"{vendor.url}/api/things", content=body).status == 200
    assert signer.of(f"{PATH}/headers")[0].json()["body_digest"] == hashlib.md5(body).hexdigest()
    assert vendor.seen[0].body == body


def test_a_stream_cannot_be_signed_and_is_not_sent(signer: Server, vendor: Server, call: Call) -> None:
    with pytest.raises(BodyNotReadable, match="MD5"):
        call(signer.url, PLACE, "POST", f"{vendor.url}/api/things", content=stream_for(call))
    assert vendor.seen == []


def test_a_stream_goes_with_the_digest_that_is_named(signer: Server, vendor: Server) -> None:
    vendor.on("/api/things", Reply(200, b"ok"))
    digest = hashlib.md5(b"all there is").hexdigest()
    named = {"content": one_shot(), "extensions": {"body_digest": digest}}
    assert ALL["httpx"](signer.url, PLACE, "POST", f"{vendor.url}/api/things", **named).status == 200
    assert vendor.seen[0].body == b"all there is"
    assert digest in vendor.seen[0].headers["x-mac"]


def test_requests_reads_a_file_and_rewinds_it(signer: Server, vendor: Server) -> None:
    vendor.on("/api/things", Reply(200, b"ok"))
    file = io.BytesIO(b"all there is")
    assert ALL["requests"](signer.url, PLACE, "POST", f"{vendor.url}/api/things", content=file).status == 200
    assert vendor.seen[0].body == b"all there is"
    assert hashlib.md5(b"all there is").hexdigest() in vendor.seen[0].headers["x-mac"]


def test_a_form_with_a_file_is_signed_with_its_body(signer: Server, vendor: Server, call: Call) -> None:
    vendor.on("/api/things", Reply(200, b"ok"))
    files = {"file": ("a.txt", b"all there is")}
    assert call(signer.url, PLACE, "POST", f"{vendor.url}/api/things", files=files).status == 200
    assert b"all there is" in vendor.seen[0].body
    assert "multipart/form-data; boundary=" in signer.of(f"{PATH}/headers")[0].json()["content_type"]


def test_a_signature_does_not_go_along_with_a_redirect(signer: Server, vendor: Server, call: Call) -> None:
    vendor.on("/api/things", Reply(302, b"", {"Location": "/api/other"}))
    vendor.on("/api/other", Reply(200, b"open to all"))
    assert call(signer.url, PLACE, "GET", f"{vendor.url}/api/things").text == "open to all"
    assert "x-mac" not in vendor.seen[1].headers
