"""What both providers that sign have besides signing: answers read, stored values probed, headers on request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.errors import ClientRejected, RightMissing, UnsupportedOperation
from providers.messages import HttpResponse, OAuthCredential, RequestToSign, Secret
from tests.providers.peer import Peer, answering
from tests.providers.visma.conftest import NONCE, NOW, credential, registration

CUID = "4CAB0000000000000000000000000001"
KEYS = {"customer_id": "XX_demo_1_12345", "customer_key": "AAAABBBBCCCCDDDD", "organisation_id": "0112038-9"}
TOKENS = OAuthCredential(access_token=Secret("a"))


def xml(*statuses: str) -> bytes:
    inner = "".join(f"<Status>{status}</Status>" for status in statuses)
    return f"<Root><ResponseStatus>{inner}</ResponseStatus></Root>".encode()


@pytest.fixture
def netvisor(registry):
    return registry.find("netvisor")


@pytest.fixture
def fivaldi(registry):
    return registry.find("fivaldi")


def at_netvisor(**parameters: str):
    return registration("netvisor", client_id="Xxx_123", secret="9999888877776666", sender="Demo", **parameters)


def at_fivaldi(**parameters: str):
    return registration("fivaldi", client_id="partner-demo-01", secret="0f8fad5bd9cb469f", **parameters)


class TestNetvisorReads:
    @pytest.mark.parametrize(
        ("code", "meaning", "wait"),
        [
            ("AUTHENTICATION_FAILED", "credential_refused", None),
            ("SERVICE_ACCESS_ERROR", "right_missing", None),
            ("REQUEST_NOT_UNIQUE", "unavailable", 0.0),
            ("SYSTEM_MAINTANANCE", "unavailable", None),
            ("TECHNICAL_ERROR", "unavailable", None),
            ("INVALID_DATA", "content", None),
            ("SOMETHING_NEW", "content", None),
        ],
    )
    @pytest.mark.parametrize("status", [200, 401, 500])
    def test_the_xml_whatever_the_status(self, netvisor, code, meaning, wait, status):
        reading = netvisor.read_answer(HttpResponse(status=status, body=xml("FAILED", f"{code} :: teksti")))
        assert (reading.meaning, reading.retry_after, reading.description) == (meaning, wait, "teksti")
        assert reading.error == code.lower().replace("maintanance", "maintenance")

    def test_the_explanation_is_the_catalogues(self, netvisor):
        reading = netvisor.read_answer(HttpResponse(status=200, body=xml("FAILED", "SERVICE_ACCESS_ERROR :: x")))
        assert "Rajapintaresurssien oikeudet" in reading.explanation

    def test_ok_and_what_is_not_its_xml(self, netvisor):
        assert netvisor.read_answer(HttpResponse(status=200, body=xml("OK"))).meaning == "ok"
        assert netvisor.read_answer(HttpResponse(status=503, body=b"<html>")).meaning == "unavailable"
        assert netvisor.read_answer(HttpResponse(status=429)).meaning == "throttled"

    def test_a_header_that_it_names_is_the_likely_field(self, netvisor):
        body = xml("FAILED", "AUTHENTICATION_FAILED :: X-Netvisor-Authentication-PartnerId")
        with Peer(answering("200 OK", body)) as peer, pytest.raises(ClientRejected) as caught:
            netvisor.verify(at_netvisor(base_url=peer.url), credential(**KEYS), now=NOW, nonce=NONCE)
        assert caught.value.fields == ("client_id",)
        # The catalogue's sentence tells a customer where the keys are; this one is not theirs.
        assert netvisor.read_answer(HttpResponse(status=401, body=body)).explanation == ""


class TestFivaldiReads:
    @pytest.mark.parametrize(
        ("status", "meaning"),
        [(200, "ok"), (401, "client_rejected"), (403, "right_missing"), (404, "content"), (500, "unavailable")],
    )
    def test_the_status(self, fivaldi, status, meaning):
        reading = fivaldi.read_answer(HttpResponse(status=status, body=b'{"status": 1, "message": "no"}'))
        assert reading.meaning == meaning
        assert reading.description == ("" if meaning == "ok" else "no")

    def test_its_token_bucket_says_how_long_to_wait(self, fivaldi):
        headers = {
            "x-ratelimit-replenish-rate": "2",
            "x-ratelimit-burst-capacity": "10",
            "x-ratelimit-remaining": "0",
            "content-type": "application/json",
        }
        reading = fivaldi.read_answer(HttpResponse(status=429, headers=headers))
        assert (reading.meaning, reading.retry_after) == ("throttled", 0.5)
        assert set(reading.rate_limit) == set(headers) - {"content-type"}


class TestProbe:
    def test_netvisor_asks_as_on_the_first_day(self, netvisor):
        with Peer(answering("200 OK", xml("OK"))) as peer:
            account = netvisor.probe(at_netvisor(base_url=peer.url), credential(**KEYS), now=NOW, nonce=NONCE)
        assert (account.subject, len(peer.requests)) == ("0112038-9", 1)

    def test_fivaldi_looks_for_its_cuid(self, fivaldi):
        with Peer(answering("200 OK", f'[{{"cuid": "{CUID}"}}]'.encode())) as peer:
            account = fivaldi.probe(at_fivaldi(base_url=peer.url), credential(cuid=CUID), now=NOW, nonce="")
        assert account.subject == CUID

    def test_a_company_that_has_taken_its_rights_back(self, fivaldi):
        with Peer(answering("200 OK", b"[]")) as peer, pytest.raises(RightMissing):
            fivaldi.probe(at_fivaldi(base_url=peer.url), credential(cuid=CUID), now=NOW, nonce="")


def test_headers_for_a_request_are_its_signature(netvisor):
    request = RequestToSign(method="GET", url="https://integration.netvisor.fi/customerlist.nv")
    ours, theirs = at_netvisor(), credential(**KEYS)
    signed = netvisor.request_headers(ours, theirs, request, now=NOW, nonce=NONCE)
    assert signed == netvisor.sign(ours, theirs, request, now=NOW, nonce=NONCE)
    assert signed.single_use


def test_tokens_cannot_sign_and_signers_have_no_lasting_headers(netvisor):
    request = RequestToSign(method="GET", url="https://integration.netvisor.fi/customerlist.nv")
    with pytest.raises(UnsupportedOperation):
        netvisor.request_headers(at_netvisor(), TOKENS, request, now=NOW, nonce=NONCE)
    with pytest.raises(UnsupportedOperation):
        netvisor.api_headers(at_netvisor(), credential(**KEYS))


def test_a_registration_is_checked_before_anything_else(netvisor, fivaldi):
    netvisor.check_registration(at_netvisor())
    fivaldi.check_registration(replace(at_fivaldi(), parameters={"reach": "partner"}))
